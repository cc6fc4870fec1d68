# Programs: the daemon and the tool to look at it.
tool_cppflags = $(AM_CPPFLAGS) \
	-DSTRATA_SYSCONFDIR='"$(sysconfdir)"' \
	-DSTRATA_RUNSTATEDIR='"$(runstatedir)"'

sbin_PROGRAMS += stratad
stratad_SOURCES = tools/stratad.c
stratad_CPPFLAGS = $(tool_cppflags)
stratad_LDADD = libstrata.la

bin_PROGRAMS += strata
strata_SOURCES = \
	tools/strata.c \
	tools/strata_cli.h \
	tools/strata_client.c \
	tools/strata_module.c \
	tools/strata_show.c \
	tools/strata_table.c
strata_CPPFLAGS = $(tool_cppflags)
strata_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
strata_LDADD = libstrata.la $(JANSSON_LIBS)

dist_man_MANS += tools/stratad.8 tools/strata.1 conf/strata.yaml.5
