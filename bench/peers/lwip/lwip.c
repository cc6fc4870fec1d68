/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP as a contender: its raw API in one thread over a TAP device, built against Debian's library as it is
 * and once more with the options of tuned/. The port reads until the device is empty, and what the stack
 * sends meanwhile waits till then. TCP 7 echo, 9 discard, 19 chargen; UDP 7 echo.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <lwip/udp.h>
#include <netif/ethernet.h>

#define FRAME 1514	/* with its link header */
#define BATCH 128	/* frames read before those that wait are sent */
#define PARTS 8		/* pieces of a frame */

/** The port: one device. */
struct port {
	int fd;
	struct netif netif;
	struct pbuf *waiting[BATCH];
	int count;
};

/** A connection of echo. */
struct echo {
	struct pbuf *rest;	/* received, not yet sent back */
};

static const char pattern[64 * 1024];	/* what chargen sends; the bytes do not matter */

/* ---- the device ---- */

static void port_write(struct port *port, struct pbuf *p)
{
	struct iovec iov[PARTS];
	int parts;

	for (parts = 0; p != NULL && parts < PARTS; p = p->next)
		iov[parts++] = (struct iovec){ p->payload, p->len };
	while (writev(port->fd, iov, parts) < 0 && errno == EINTR)
		;	/* and a frame that the device does not take is lost, as on any link */
}

static void port_flush(struct port *port)
{
	int i;

	for (i = 0; i < port->count; i++) {
		port_write(port, port->waiting[i]);
		pbuf_free(port->waiting[i]);
	}
	port->count = 0;
}

static err_t port_output(struct netif *netif, struct pbuf *p)
{
	struct port *port = netif->state;

	if (port->count == BATCH)
		port_flush(port);
	pbuf_ref(p);
	port->waiting[port->count++] = p;
	return ERR_OK;
}

/*
 * One frame into the stack. Returns 0 when the device is empty. Not PBUF_POOL: Debian's 2.1.3+dfsg1-2 gives
 * such a buffer room for a segment of 536 bytes and lets 1,460 be written into it.
 */
static int port_read(struct port *port)
{
	struct pbuf *p = pbuf_alloc(PBUF_RAW, FRAME, PBUF_RAM), *part;
	struct iovec iov[PARTS];
	int parts = 0;
	ssize_t n;

	if (p == NULL)
		return 0;
	for (part = p; part != NULL && parts < PARTS; part = part->next)
		iov[parts++] = (struct iovec){ part->payload, part->len };
	n = readv(port->fd, iov, parts);
	if (n <= 0) {
		pbuf_free(p);
		return 0;
	}
	pbuf_realloc(p, (u16_t)n);
	if (port->netif.input(p, &port->netif) != ERR_OK)
		pbuf_free(p);
	return 1;
}

static err_t port_init(struct netif *netif)
{
	static const u8_t mac[ETH_HWADDR_LEN] = { 0x02, 0, 0, 0, 0x11, 0x03 };

	netif->name[0] = 't';
	netif->name[1] = 'p';
	netif->mtu = 1500;
	netif->hwaddr_len = ETH_HWADDR_LEN;
	memcpy(netif->hwaddr, mac, sizeof(mac));
	netif->flags |= NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
	netif->output = etharp_output;
	netif->linkoutput = port_output;
	return ERR_OK;
}

static int port_open(const char *device)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETOFFLOAD, 0) < 0) {
		fprintf(stderr, "lwip: TAP device %s: %s\n", device, strerror(errno));
		exit(1);
	}
	return fd;
}

/* ---- services ---- */

static void echo_error(void *arg, err_t error)
{
	struct echo *echo = arg;

	(void)error;
	if (echo->rest != NULL)
		pbuf_free(echo->rest);
	free(echo);
}

static void finish(struct tcp_pcb *pcb)
{
	tcp_arg(pcb, NULL);
	tcp_recv(pcb, NULL);
	tcp_sent(pcb, NULL);
	tcp_err(pcb, NULL);
	if (tcp_close(pcb) != ERR_OK)
		tcp_abort(pcb);
}

/* Sends back what is held, as far as the send buffer goes. */
static void echo_send(struct echo *echo, struct tcp_pcb *pcb)
{
	while (echo->rest != NULL) {
		struct pbuf *p = echo->rest;

		if (p->len > tcp_sndbuf(pcb) ||
		    tcp_write(pcb, p->payload, p->len, TCP_WRITE_FLAG_COPY) != ERR_OK)
			return;
		tcp_recved(pcb, p->len);
		echo->rest = p->next;
		if (echo->rest != NULL)
			pbuf_ref(echo->rest);
		pbuf_free(p);
	}
}

static err_t echo_sent(void *arg, struct tcp_pcb *pcb, u16_t length)
{
	(void)length;
	if (((struct echo *)arg)->rest != NULL)
		echo_send(arg, pcb);
	return ERR_OK;
}

static err_t echo_receive(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	struct echo *echo = arg;

	(void)error;
	if (p == NULL) {
		finish(pcb);
		echo_error(echo, ERR_OK);
		return ERR_OK;
	}
	if (echo->rest == NULL)
		echo->rest = p;
	else
		pbuf_cat(echo->rest, p);
	echo_send(echo, pcb);
	return ERR_OK;
}

static err_t echo_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
	struct echo *echo = error == ERR_OK ? calloc(1, sizeof(*echo)) : NULL;

	(void)arg;
	if (echo == NULL)
		return ERR_MEM;
	tcp_nagle_disable(pcb);
	tcp_arg(pcb, echo);
	tcp_recv(pcb, echo_receive);
	tcp_sent(pcb, echo_sent);
	tcp_err(pcb, echo_error);
	return ERR_OK;
}

static err_t discard_receive(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	(void)arg;
	(void)error;
	if (p == NULL) {
		finish(pcb);
		return ERR_OK;
	}
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

static err_t discard_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
	(void)arg;
	if (error == ERR_OK)
		tcp_recv(pcb, discard_receive);
	return error;
}

static err_t chargen_sent(void *arg, struct tcp_pcb *pcb, u16_t length)
{
	(void)arg;
	(void)length;
	while (tcp_sndbuf(pcb) >= TCP_MSS) {
		u32_t n = tcp_sndbuf(pcb) < sizeof(pattern) / 2 ? tcp_sndbuf(pcb) : sizeof(pattern) / 2;

		if (tcp_write(pcb, pattern, (u16_t)(n / TCP_MSS * TCP_MSS), 0) != ERR_OK)
			break;
	}
	return ERR_OK;
}

static err_t chargen_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
	if (error != ERR_OK)
		return error;
	tcp_recv(pcb, discard_receive);
	tcp_sent(pcb, chargen_sent);
	return chargen_sent(arg, pcb, 0);
}

static void udp_echo(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from, u16_t port)
{
	(void)arg;
	udp_sendto(pcb, p, from, port);
	pbuf_free(p);
}

static int serve(u16_t port, tcp_accept_fn accept)
{
	struct tcp_pcb *pcb = tcp_new();

	if (pcb == NULL || tcp_bind(pcb, IP4_ADDR_ANY, port) != ERR_OK)
		return -1;
	pcb = tcp_listen_with_backlog(pcb, 255);
	if (pcb == NULL)
		return -1;
	tcp_accept(pcb, accept);
	return 0;
}

static int serve_all(void)
{
	struct udp_pcb *udp = udp_new();

	if (udp == NULL || udp_bind(udp, IP4_ADDR_ANY, 7) != ERR_OK)
		return -1;
	udp_recv(udp, udp_echo, NULL);
	return serve(7, echo_accept) < 0 || serve(9, discard_accept) < 0 || serve(19, chargen_accept) < 0 ? -1 : 0;
}

/* ---- the program ---- */

static int attach(struct port *port, char *address, const char *gateway)
{
	char *slash = strchr(address, '/');
	int bits = slash != NULL ? atoi(slash + 1) : 0;
	ip4_addr_t own, mask, next;

	if (slash == NULL || bits < 1 || bits > 32)
		return -1;
	*slash = '\0';
	mask.addr = lwip_htonl((u32_t)(UINT64_C(0xffffffff) << (32 - bits)));
	next.addr = 0;
	if (!ip4addr_aton(address, &own) || (gateway != NULL && !ip4addr_aton(gateway, &next)))
		return -1;
	if (netif_add(&port->netif, &own, &mask, &next, port, port_init, ethernet_input) == NULL)
		return -1;
	netif_set_default(&port->netif);
	netif_set_up(&port->netif);
	netif_set_link_up(&port->netif);
	return 0;
}

static void run(struct port *port)
{
	for (;;) {
		struct pollfd ready = { .fd = port->fd, .events = POLLIN };
		u32_t pause;
		int n = 0;

		while (n < BATCH && port_read(port))
			n++;
		sys_check_timeouts();
		port_flush(port);
		if (n != 0)
			continue;
		pause = sys_timeouts_sleeptime();
		poll(&ready, 1, pause == SYS_TIMEOUTS_SLEEPTIME_INFINITE ? -1 : (int)pause);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "device", 1, NULL, 'd' }, { "address", 1, NULL, 'a' },
		{ "gateway", 1, NULL, 'g' }, { "gso", 1, NULL, 's' }, { NULL, 0, NULL, 0 } };
	static struct port port;
	const char *device = NULL, *gateway = NULL;
	char *address = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (option == 'd')
			device = optarg;
		else if (option == 'a')
			address = optarg;
		else if (option == 'g')
			gateway = optarg;
		else if (option == '?')
			return 2;
	if (device == NULL || address == NULL) {
		fprintf(stderr, "usage: %s --device TAP --address A/PREFIX [--gateway G]\n", argv[0]);
		return 2;
	}
	port.fd = port_open(device);
	lwip_init();
	if (attach(&port, address, gateway) < 0 || serve_all() < 0) {
		fprintf(stderr, "%s: the stack refuses its set-up\n", argv[0]);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	run(&port);
}
