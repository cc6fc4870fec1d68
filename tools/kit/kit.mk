# The conformance kit, `strata module test`: part of the program `strata`.
tools_strata_SOURCES += \
	tools/kit/kit.c \
	tools/kit/kit.h \
	tools/kit/kit_child.c \
	tools/kit/kit_descriptor.c \
	tools/kit/kit_env.c \
	tools/kit/kit_file.c \
	tools/kit/kit_input.c \
	tools/kit/kit_int.h \
	tools/kit/kit_life.c \
	tools/kit/kit_ops.c \
	tools/kit/kit_options.c \
	tools/kit/kit_packet.c \
	tools/kit/kit_report.c \
	tools/kit/kit_rig.c \
	tools/kit/kit_serve.c \
	tools/kit/kit_sockets.c
tools_strata_CPPFLAGS += -I$(top_srcdir)/tools
tools_strata_CFLAGS += $(ELF_CFLAGS)
tools_strata_LDADD += $(ELF_LIBS)
dist_man_MANS += tools/kit/strata-module-test.1
