# Programs: the daemon and the tool to look at it.
tool_cppflags = $(AM_CPPFLAGS) \
	-DSTRATA_SYSCONFDIR='"$(sysconfdir)"' \
	-DSTRATA_RUNSTATEDIR='"$(runstatedir)"'

sbin_PROGRAMS += tools/stratad
tools_stratad_SOURCES = tools/stratad.c
tools_stratad_CPPFLAGS = $(tool_cppflags)
tools_stratad_LDADD = libstrata.la

bin_PROGRAMS += tools/strata
tools_strata_SOURCES = \
	tools/strata.c \
	tools/strata_args.c \
	tools/strata_change.c \
	tools/strata_cli.h \
	tools/strata_client.c \
	tools/strata_filter.c \
	tools/strata_help.c \
	tools/strata_module.c \
	tools/strata_reload.c \
	tools/strata_show.c \
	tools/strata_show.h \
	tools/strata_show_tables.c \
	tools/strata_table.c \
	tools/strata_watch.c
tools_strata_CPPFLAGS = $(tool_cppflags)
tools_strata_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(PCAP_CFLAGS)
tools_strata_LDADD = libstrata.la $(JANSSON_LIBS) $(PCAP_LIBS)

dist_man_MANS += tools/stratad.8 tools/strata.1 conf/strata.yaml.5
EXTRA_DIST += docs/control.md docs/demos.md
