# The echo module.
strata_modules += modules/echo.la
modules_echo_la_SOURCES = \
	modules/service/echo/echo.c \
	modules/service/echo/echo_counters.def \
	modules/service/echo/echo_datagram.c \
	modules/service/echo/echo_int.h \
	modules/service/echo/echo_stream.c
modules_echo_la_LDFLAGS = $(module_ldflags)
modules_echo_la_LIBADD = $(module_libadd)
dist_man_MANS += modules/service/echo/strata-echo.7
