# The pcap module.
strata_modules += modules/pcap.la
modules_pcap_la_SOURCES = \
	modules/link/pcap/pcap.c \
	modules/link/pcap/pcap_drops.def \
	modules/link/pcap/pcap_file.c \
	modules/link/pcap/pcap_int.h
modules_pcap_la_CFLAGS = $(AM_CFLAGS) $(PCAP_CFLAGS)
modules_pcap_la_LDFLAGS = $(module_ldflags)
modules_pcap_la_LIBADD = $(module_libadd) $(PCAP_LIBS)
dist_man_MANS += modules/link/pcap/strata-pcap.7
