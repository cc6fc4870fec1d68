# Programs: the daemon and the tool to look at it.
tool_cppflags = $(AM_CPPFLAGS) \
	-DSTRATA_SYSCONFDIR='"$(sysconfdir)"' \
	-DSTRATA_RUNSTATEDIR='"$(runstatedir)"' \
	-DSTRATA_TEMPLATEDIR='"$(templatedir)"'

sbin_PROGRAMS += tools/stratad
tools_stratad_SOURCES = tools/stratad.c
tools_stratad_CPPFLAGS = $(tool_cppflags)
tools_stratad_LDADD = libstrata.la

bin_PROGRAMS += tools/strata
tools_strata_SOURCES = \
	tools/strata.c \
	tools/strata_args.c \
	tools/strata_capture.c \
	tools/strata_change.c \
	tools/strata_canvas.c \
	tools/strata_canvas.h \
	tools/strata_cli.h \
	tools/strata_client.c \
	tools/strata_complete.c \
	tools/strata_filter.c \
	tools/strata_graph.c \
	tools/strata_graph.h \
	tools/strata_graph_dot.c \
	tools/strata_graph_text.c \
	tools/strata_help.c \
	tools/strata_module.c \
	tools/strata_reload.c \
	tools/strata_new.c \
	tools/strata_new.h \
	tools/strata_new_files.c \
	tools/strata_shards.c \
	tools/strata_show.c \
	tools/strata_show_details.c \
	tools/strata_show.h \
	tools/strata_show_tables.c \
	tools/strata_table.c \
	tools/strata_trace.c \
	tools/strata_watch.c \
	tools/strata_top.c \
	tools/strata_top.h \
	tools/strata_top_panes.c \
	tools/strata_top_screen.c
tools_strata_CPPFLAGS = $(tool_cppflags)
tools_strata_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(PCAP_CFLAGS)
tools_strata_LDADD = libstrata.la $(JANSSON_LIBS) $(PCAP_LIBS) $(NCURSES_LIBS) -lm

dist_man_MANS += tools/strata-capture.1 tools/strata-graph.1 tools/strata-top.1 tools/strata-trace.1
dist_man_MANS += tools/stratad.8 tools/strata.1 conf/strata.yaml.5
# Completion asks `strata complete`, so these two have nothing of their own to say.
bashcompdir = $(datadir)/bash-completion/completions
dist_bashcomp_DATA = tools/completions/strata
zshcompdir = $(datadir)/zsh/site-functions
dist_zshcomp_DATA = tools/completions/_strata

EXTRA_DIST += docs/control.md docs/demos.md tools/templates/README.md

# Templates of `strata new-module`: what all projects have, and what each kind adds. The program finds them
# beside itself in a build tree, by a link that configure makes.
templatedir = $(datadir)/strata/templates
template_dirs =
templatecommondir = $(templatedir)/common
template_dirs += $(templatecommondir)
dist_templatecommon_DATA = \
	tools/templates/common/Makefile.am.in \
	tools/templates/common/README.md.in \
	tools/templates/common/configure.ac.in \
	tools/templates/common/dot-gitignore.in
templatelinkdir = $(templatedir)/link
template_dirs += $(templatelinkdir)
dist_templatelink_DATA = \
	tools/templates/link/NAME.c.in \
	tools/templates/link/NAME.yaml.in \
	tools/templates/link/NAME_counters.def.in \
	tools/templates/link/NAME_drops.def.in \
	tools/templates/link/strata-NAME.7.in \
	tools/templates/link/test_NAME.c.in
templatenetworkdir = $(templatedir)/network
template_dirs += $(templatenetworkdir)
dist_templatenetwork_DATA = \
	tools/templates/network/NAME.c.in \
	tools/templates/network/NAME.yaml.in \
	tools/templates/network/NAME_counters.def.in \
	tools/templates/network/NAME_drops.def.in \
	tools/templates/network/strata-NAME.7.in \
	tools/templates/network/test_NAME.c.in
templatetransportdir = $(templatedir)/transport
template_dirs += $(templatetransportdir)
dist_templatetransport_DATA = \
	tools/templates/transport/NAME.c.in \
	tools/templates/transport/NAME.yaml.in \
	tools/templates/transport/NAME_counters.def.in \
	tools/templates/transport/NAME_drops.def.in \
	tools/templates/transport/strata-NAME.7.in \
	tools/templates/transport/test_NAME.c.in
templatecongestiondir = $(templatedir)/congestion
template_dirs += $(templatecongestiondir)
dist_templatecongestion_DATA = \
	tools/templates/congestion/NAME.c.in \
	tools/templates/congestion/NAME.yaml.in \
	tools/templates/congestion/NAME_counters.def.in \
	tools/templates/congestion/strata-NAME.7.in \
	tools/templates/congestion/test_NAME.c.in
templateservicedir = $(templatedir)/service
template_dirs += $(templateservicedir)
dist_templateservice_DATA = \
	tools/templates/service/NAME.c.in \
	tools/templates/service/NAME.yaml.in \
	tools/templates/service/NAME_counters.def.in \
	tools/templates/service/strata-NAME.7.in \
	tools/templates/service/test_NAME.c.in

# The link alone; in a tree that is configured in place there is none.
distclean-local:
	test ! -h tools/templates || rm -f tools/templates
