# The xdp module; left out where libxdp and libbpf are missing.
if HAVE_XDP
strata_modules += modules/xdp.la
modules_xdp_la_SOURCES = \
	modules/link/xdp/xdp.c \
	modules/link/xdp/xdp_drops.def \
	modules/link/xdp/xdp_host.c \
	modules/link/xdp/xdp_int.h \
	modules/link/xdp/xdp_io.c \
	modules/link/xdp/xdp_program.c \
	modules/link/xdp/xdp_socket.c
modules_xdp_la_CFLAGS = $(AM_CFLAGS) $(MNL_CFLAGS) $(XDP_CFLAGS)
modules_xdp_la_LDFLAGS = $(module_ldflags)
modules_xdp_la_LIBADD = $(module_libadd) $(MNL_LIBS) $(XDP_LIBS)
dist_man_MANS += modules/link/xdp/strata-xdp.7
endif
