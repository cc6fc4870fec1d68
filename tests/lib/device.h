/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests of drivers' frames without a device: the fixture's interface under another driver for the time of a test,
 * with descriptors of the test's at the host's end, and frames that hosts send.
 */
#ifndef TEST_DEVICE_H
#define TEST_DEVICE_H

#include "fixture.h"

#include <linux/virtio_net.h>

struct fx_device {
	struct fixture *fx;
	int host;			/* the test's end of the pair; fx_device_close() closes it */
	struct strata_instance *driver;	/* what the interface had before */
	void *config, *state;
	uint32_t caps;
	/* of the last packet that came in */
	unsigned int seen;
	struct strata_pkt last;
	uint8_t bytes[70000];
};

/* Gives the interface that driver, loaded in the fixture, with its configuration and state, and watches what comes
 * in. Makes a pair of sockets that keep messages apart: the driver's end is returned, and the driver's to close. */
int fx_device_open(struct fx_device *device, struct fixture *fx, const char *driver, void *config, void *state,
		   uint32_t caps);
/* The interface has its own driver again. */
void fx_device_close(struct fx_device *device);

/* For watches and timers that are the driver's, but not under test. */
void fx_device_never(struct strata_stack *stack, struct strata_watch *watch, uint32_t events);
void fx_device_no_timer(struct strata_stack *stack, struct strata_timer *timer);

/* What the host reads, behind its virtio header: the next frame's length; 0: none. */
size_t fx_device_reads(struct fx_device *device, struct virtio_net_hdr *vnet, uint8_t *frame, size_t size);

/* ---- frames ---- */

/* Bytes of TCP in fx_super_packet(). */
#define FX_SUPER 30000

/* An echo request of `payload` bytes as a frame for the stack; returns its length. */
size_t fx_echo_request(uint8_t *frame, size_t payload);
/* A TCP super-packet of FX_SUPER bytes with a segment size of 1448, and its virtio header. */
size_t fx_super_packet(uint8_t *frame, struct virtio_net_hdr *vnet);
/* A frame for the host, of 1,000 bytes, its number behind the link header. */
struct strata_pkt *fx_numbered(struct fixture *fx, unsigned int number);

#endif
