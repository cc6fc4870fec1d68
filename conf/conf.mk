# Manifests and the systemd unit.
confdir = $(sysconfdir)/strata
demodir = $(confdir)/demo
dist_conf_DATA = conf/strata.yaml
dist_demo_DATA = \
	conf/demo/arp.yaml \
	conf/demo/link.yaml \
	conf/demo/loopback.yaml \
	conf/demo/ping.yaml \
	conf/demo/tcp.yaml \
	conf/demo/udp.yaml

EXTRA_DIST += conf/stratad.service.in
CLEANFILES += conf/stratad.service
if SYSTEMD_UNIT
systemdsystemunit_DATA = conf/stratad.service
endif

conf/stratad.service: $(srcdir)/conf/stratad.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) conf && $(SED) -e 's|[@]sbindir[@]|$(sbindir)|' \
		-e 's|[@]sysconfdir[@]|$(sysconfdir)|' \
		-e 's|[@]runstatedir[@]|$(runstatedir)|' $(srcdir)/conf/stratad.service.in > $@
