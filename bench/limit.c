/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a TAP device allows: a peer without a stack, which makes the system calls and the copies of each
 * workload and as little else as the kernel's TCP at the other end lets pass (RFC 9293 section 3.10, where
 * nothing is ever lost or reordered). It reads until the device is empty, then acknowledges once; payload is
 * copied between the frame and an application's buffer. TCP 7 echo, 9 discard, 19 chargen; UDP 7 echo.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PAYLOAD (ETH_HLEN + (int)sizeof(struct iphdr) + (int)sizeof(struct tcphdr))
#define MSS (1500 - PAYLOAD + ETH_HLEN)
#define SUPER (44 * MSS)	/* the most whole segments that an IPv4 packet carries */
#define BATCH 64		/* frames read, or sent, before the other direction has its turn */
#define STALL 200		/* milliseconds without progress after which sending goes back */

/** A connection, known by the client's port. */
struct peer {
	uint16_t port;	/* ours; 0: none */
	bool answer;	/* an acknowledgement is due */
	uint8_t shift;
	uint32_t rcv_nxt, snd_una, snd_nxt, snd_wnd;
};

/** A frame as it is read from and written to the device. */
struct frame {
	struct virtio_net_hdr vnet;
	uint8_t bytes[ETH_HLEN + 65536];
};

/** The program. */
struct limit {
	int fd;
	bool gso;
	uint32_t address, client;
	uint8_t client_mac[ETH_ALEN];
	struct frame in, out;
	uint8_t application[65536];
	uint16_t due[BATCH], senders[BATCH];	/* ports of clients */
	int due_count, sender_count;
	struct peer peers[65536];
};

static const uint8_t own_mac[ETH_ALEN] = { 0x02, 0, 0, 0, 0x11, 0x02 };

static uint16_t fold(const void *bytes, size_t length, uint32_t sum)
{
	const uint8_t *p = bytes;
	size_t i;

	for (i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void give(struct limit *l, const struct frame *frame, size_t length)
{
	if (write(l->fd, frame, sizeof(frame->vnet) + length) < 0) {
		perror("limit: write");
		exit(1);
	}
}

/* Sends `length` bytes that lie in the outgoing frame, behind `options` bytes of them. */
static void segment(struct limit *l, struct peer *c, uint8_t flags, int options, int length)
{
	struct ether_header *eth = (void *)l->out.bytes;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	int tcp_length = (int)sizeof(*tcp) + options + length;

	memcpy(eth->ether_dhost, l->client_mac, ETH_ALEN);
	memcpy(eth->ether_shost, own_mac, ETH_ALEN);
	eth->ether_type = htons(ETHERTYPE_IP);
	*ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP,
		.tot_len = htons((uint16_t)((int)sizeof(*ip) + tcp_length)), .frag_off = htons(IP_DF),
		.saddr = l->address, .daddr = l->client };
	ip->check = htons((uint16_t)~fold(ip, sizeof(*ip), 0));
	*tcp = (struct tcphdr){ .source = htons(c->port), .dest = htons((uint16_t)(c - l->peers)),
		.seq = htonl(c->snd_nxt), .ack_seq = htonl(c->rcv_nxt), .window = htons(UINT16_MAX) };
	tcp->doff = ((unsigned int)sizeof(*tcp) + (unsigned int)options) / 4 & 15;
	tcp->th_flags = flags | TH_ACK;
	tcp->check = htons(fold(&ip->saddr, 8, (uint32_t)(IPPROTO_TCP + tcp_length)));
	l->out.vnet = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = ETH_HLEN + sizeof(*ip), .csum_offset = offsetof(struct tcphdr, check) };
	if (length > MSS) {
		l->out.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		l->out.vnet.gso_size = MSS;
		l->out.vnet.hdr_len = PAYLOAD;
	}
	give(l, &l->out, (size_t)(PAYLOAD + options + length));
	c->snd_nxt += (uint32_t)length + ((flags & (TH_SYN | TH_FIN)) != 0);
	c->answer = false;
}

static void open_peer(struct limit *l, struct peer *c, const struct tcphdr *tcp, uint16_t port)
{
	const uint8_t *option = (const uint8_t *)(tcp + 1), *end = (const uint8_t *)tcp + tcp->doff * 4;
	/* Without super-frames the device's queue of 500 frames must hold the whole window. */
	const uint8_t ours[] = { TCPOPT_MAXSEG, 4, MSS >> 8, MSS & 255, 1, TCPOPT_WINDOW, 3, l->gso ? 6 : 3 };

	*c = (struct peer){ .port = port, .rcv_nxt = ntohl(tcp->seq) + 1 };
	for (; option < end && *option != TCPOPT_EOL; option += *option == TCPOPT_NOP ? 1 : option[1])
		if (*option == TCPOPT_WINDOW)
			c->shift = option[2];
		else if (*option != TCPOPT_NOP && option[1] < 2)
			break;
	memcpy(l->out.bytes + PAYLOAD, ours, sizeof(ours));
	segment(l, c, TH_SYN, sizeof(ours), 0);
	if (port == 19 && l->sender_count < BATCH)
		l->senders[l->sender_count++] = (uint16_t)(c - l->peers);
}

static void close_peer(struct limit *l, struct peer *c)
{
	int i;

	for (i = 0; i < l->sender_count; i++)
		if (l->senders[i] == (uint16_t)(c - l->peers))
			l->senders[i--] = l->senders[--l->sender_count];
	c->port = 0;
}

/* RFC 9293 section 3.10.7.4 for a path that is never in disorder; what is, is only acknowledged. */
static void tcp_input(struct limit *l, const struct tcphdr *tcp, int length)
{
	struct peer *c = &l->peers[ntohs(tcp->source)];

	if (tcp->syn) {
		open_peer(l, c, tcp, ntohs(tcp->dest));
		return;
	}
	length -= tcp->doff * 4;
	if (c->port == 0 || tcp->rst) {
		close_peer(l, c);
		return;
	}
	if ((int32_t)(ntohl(tcp->ack_seq) - c->snd_una) >= 0)
		c->snd_una = ntohl(tcp->ack_seq);
	if ((int32_t)(c->snd_una - c->snd_nxt) > 0)	/* sent before sending went back */
		c->snd_nxt = c->snd_una;
	c->snd_wnd = (uint32_t)ntohs(tcp->window) << c->shift;
	if (length > 0 && ntohl(tcp->seq) == c->rcv_nxt) {
		uint8_t *to = c->port == 7 ? l->out.bytes + PAYLOAD : l->application;

		memcpy(to, (const uint8_t *)tcp + tcp->doff * 4, (size_t)length);
		c->rcv_nxt += (uint32_t)length;
		if (c->port == 7)
			segment(l, c, TH_PUSH, 0, length);
	}
	if (tcp->fin && ntohl(tcp->seq) + (uint32_t)length == c->rcv_nxt) {
		c->rcv_nxt++;
		segment(l, c, TH_FIN, 0, 0);
		close_peer(l, c);
	} else if (length > 0 && c->port != 7 && !c->answer) {
		c->answer = true;
		l->due[l->due_count++] = ntohs(tcp->source);
	}
}

static void arp_input(struct limit *l, struct ether_arp *arp, ssize_t length)
{
	struct ether_header *eth = (void *)l->in.bytes;

	if (length < ETH_HLEN + (ssize_t)sizeof(*arp) || arp->ea_hdr.ar_op != htons(ARPOP_REQUEST) ||
	    memcmp(arp->arp_tpa, &l->address, 4) != 0)
		return;
	arp->ea_hdr.ar_op = htons(ARPOP_REPLY);
	memcpy(arp->arp_tpa, arp->arp_spa, 4);
	memcpy(arp->arp_spa, &l->address, 4);
	memcpy(arp->arp_tha, arp->arp_sha, ETH_ALEN);
	memcpy(arp->arp_sha, own_mac, ETH_ALEN);
	memcpy(eth->ether_dhost, eth->ether_shost, ETH_ALEN);
	memcpy(eth->ether_shost, own_mac, ETH_ALEN);
	give(l, &l->in, (size_t)length);
}

/* Addresses and ports change places, which leaves the checksums right, finished or not. */
static void udp_input(struct limit *l, struct iphdr *ip, struct udphdr *udp, ssize_t length)
{
	struct ether_header *eth = (void *)l->in.bytes;
	uint16_t port = udp->source;

	udp->source = udp->dest;
	udp->dest = port;
	ip->daddr = ip->saddr;
	ip->saddr = l->address;
	memcpy(eth->ether_dhost, eth->ether_shost, ETH_ALEN);
	memcpy(eth->ether_shost, own_mac, ETH_ALEN);
	give(l, &l->in, (size_t)length);
}

static void input(struct limit *l, ssize_t length)
{
	struct ether_header *eth = (void *)l->in.bytes;
	struct iphdr *ip = (void *)(eth + 1);

	if (eth->ether_type == htons(ETHERTYPE_ARP))
		arp_input(l, (void *)(eth + 1), length);
	if (eth->ether_type != htons(ETHERTYPE_IP) || length < PAYLOAD || ip->daddr != l->address)
		return;
	l->client = ip->saddr;
	memcpy(l->client_mac, eth->ether_shost, ETH_ALEN);
	if (ip->protocol == IPPROTO_UDP)
		udp_input(l, ip, (void *)(ip + 1), length);
	else if (ip->protocol == IPPROTO_TCP)
		tcp_input(l, (void *)(ip + 1), ntohs(ip->tot_len) - (int)sizeof(*ip));
}

/* Fills the client's window. Returns how many frames were sent. */
static int chargen(struct limit *l, struct peer *c)
{
	int most = l->gso ? SUPER : MSS, sent;

	for (sent = 0; sent < BATCH; sent++) {
		uint32_t room = c->snd_wnd - (c->snd_nxt - c->snd_una);

		if ((int32_t)room < most && c->snd_nxt != c->snd_una)
			break;
		if ((int32_t)room <= 0)
			break;
		memcpy(l->out.bytes + PAYLOAD, l->application, (size_t)most);
		segment(l, c, TH_PUSH, 0, room < (uint32_t)most ? (int)room : most);
	}
	return sent;
}

/* One turn: what the device has, one acknowledgement, what the windows take. Returns the frames moved. */
static int turn(struct limit *l)
{
	int i, count;

	for (count = 0; count < BATCH; count++) {
		ssize_t n = read(l->fd, &l->in, sizeof(l->in)) - (ssize_t)sizeof(l->in.vnet);

		if (n < (ssize_t)ETH_HLEN)
			break;
		input(l, n);
	}
	for (i = 0; i < l->due_count; i++)
		if (l->peers[l->due[i]].answer)
			segment(l, &l->peers[l->due[i]], 0, 0, 0);
	l->due_count = 0;
	for (i = 0; i < l->sender_count; i++)
		count += chargen(l, &l->peers[l->senders[i]]);
	return count;
}

static int open_device(const char *name, bool gso)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), size = sizeof(struct virtio_net_hdr);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &size) < 0 ||
	    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | (gso ? TUN_F_TSO4 : 0UL)) < 0) {
		fprintf(stderr, "limit: TAP device %s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "device", 1, NULL, 'd' }, { "address", 1, NULL, 'a' },
		{ "gateway", 1, NULL, 'g' }, { "gso", 1, NULL, 's' }, { NULL, 0, NULL, 0 } };
	struct limit *l = calloc(1, sizeof(*l));
	const char *device = NULL, *address = "";
	int option;

	if (l == NULL)
		return 1;
	l->gso = true;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (option == 'd')
			device = optarg;
		else if (option == 'a')
			address = strtok(optarg, "/");
		else if (option == 's')
			l->gso = strcmp(optarg, "off") != 0;
	if (device == NULL || address == NULL || inet_pton(AF_INET, address, &l->address) != 1) {
		fprintf(stderr, "usage: limit --device TAP --address A/PREFIX [--gateway G] [--gso on|off]\n");
		return 2;
	}
	l->fd = open_device(device, l->gso);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd ready = { .fd = l->fd, .events = POLLIN };
		int i;

		if (turn(l) == 0 && poll(&ready, 1, l->sender_count != 0 ? STALL : -1) == 0)
			for (i = 0; i < l->sender_count; i++)	/* from what is acknowledged, again */
				l->peers[l->senders[i]].snd_nxt = l->peers[l->senders[i]].snd_una;
	}
}
