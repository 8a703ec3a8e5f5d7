// raw: the floor that our figures are compared with. Programs N TCP virtual servers with R real servers each
// (VIP 10.100.0.0+i port 80 rr, real server 10.1.0.0+i*R+j port 80 masquerade) by generic netlink without any library:
// BATCH messages per send, NLM_F_ACK on the last only.
//   raw prog N R [BATCH]   program them, print the milliseconds
//   raw rules N R          print the same rules as text for `ipvsadm -R`
//   raw run COMMAND...     run a command, print on stderr its milliseconds and its greatest resident memory in kB
#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VIP_BASE 0x0A640000u
#define REAL_BASE 0x0A010000u
#define MESSAGE_MAX 256 // bytes; NEW_DEST with its key is about 140

static int fd;
static uint16_t family;
static uint32_t seq = 1, acked;
static unsigned char *out, in[1 << 20];
static size_t out_len, last_message;
static unsigned in_batch, batch = 1024, errors;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct nlmsghdr *begin(uint16_t type, uint16_t flags, uint8_t command) {
  struct nlmsghdr *h = (void *)(out + out_len);
  struct genlmsghdr *g = NLMSG_DATA(h);
  *h = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN), .nlmsg_type = type,
                         .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = seq++};
  *g = (struct genlmsghdr){.cmd = command, .version = 1};
  return h;
}

static void put(struct nlmsghdr *h, uint16_t type, const void *data, size_t len) {
  struct nlattr *a = (void *)((char *)h + NLMSG_ALIGN(h->nlmsg_len));
  a->nla_type = type;
  a->nla_len = (uint16_t)(NLA_HDRLEN + len);
  memcpy((char *)a + NLA_HDRLEN, data, len);
  h->nlmsg_len = (uint32_t)(NLMSG_ALIGN(h->nlmsg_len) + NLA_ALIGN(a->nla_len));
}
static void put16(struct nlmsghdr *h, uint16_t type, uint16_t v) { put(h, type, &v, sizeof v); }
static void put32(struct nlmsghdr *h, uint16_t type, uint32_t v) { put(h, type, &v, sizeof v); }
static void put_ip(struct nlmsghdr *h, uint16_t type, uint32_t ip) {
  uint32_t address[4] = {htonl(ip), 0, 0, 0};
  put(h, type, address, sizeof address);
}
static struct nlattr *nest(struct nlmsghdr *h, uint16_t type) {
  struct nlattr *a = (void *)((char *)h + NLMSG_ALIGN(h->nlmsg_len));
  a->nla_type = type | NLA_F_NESTED;
  h->nlmsg_len = NLMSG_ALIGN(h->nlmsg_len) + NLA_HDRLEN;
  return a;
}
static void nest_end(struct nlmsghdr *h, struct nlattr *a) {
  a->nla_len = (uint16_t)((char *)h + h->nlmsg_len - (char *)a);
}

static void drain(uint32_t upto) {
  while (acked < upto) {
    ssize_t n = recv(fd, in, sizeof in, 0);
    if (n < 0) { perror("recv"); exit(1); }
    int left = (int)n;
    for (struct nlmsghdr *h = (void *)in; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
      if (h->nlmsg_type != NLMSG_ERROR) continue;
      if (((struct nlmsgerr *)NLMSG_DATA(h))->error) errors++;
      if (h->nlmsg_seq > acked) acked = h->nlmsg_seq;
    }
  }
}

static void flush(void) {
  if (!in_batch) return;
  ((struct nlmsghdr *)(out + last_message))->nlmsg_flags |= NLM_F_ACK;
  if (send(fd, out, out_len, 0) != (ssize_t)out_len) { perror("send"); exit(1); }
  out_len = in_batch = 0;
  drain(seq - 1);
}

static void queue(struct nlmsghdr *h) {
  last_message = out_len;
  out_len += NLMSG_ALIGN(h->nlmsg_len);
  if (++in_batch >= batch) flush();
}

static void service_key(struct nlmsghdr *h, uint32_t vip, int full) {
  struct nlattr *s = nest(h, IPVS_CMD_ATTR_SERVICE);
  put16(h, IPVS_SVC_ATTR_AF, AF_INET);
  put16(h, IPVS_SVC_ATTR_PROTOCOL, IPPROTO_TCP);
  put_ip(h, IPVS_SVC_ATTR_ADDR, vip);
  put16(h, IPVS_SVC_ATTR_PORT, htons(80));
  if (full) {
    uint32_t flags[2] = {0, ~0u};
    put(h, IPVS_SVC_ATTR_SCHED_NAME, "rr", 3);
    put(h, IPVS_SVC_ATTR_FLAGS, flags, sizeof flags);
    put32(h, IPVS_SVC_ATTR_TIMEOUT, 0);
    put32(h, IPVS_SVC_ATTR_NETMASK, 0xffffffff);
  }
  nest_end(h, s);
}

static void add_service(uint32_t vip) {
  struct nlmsghdr *h = begin(family, 0, IPVS_CMD_NEW_SERVICE);
  service_key(h, vip, 1);
  queue(h);
}

static void add_real_server(uint32_t vip, uint32_t address) {
  struct nlmsghdr *h = begin(family, 0, IPVS_CMD_NEW_DEST);
  service_key(h, vip, 0);
  struct nlattr *d = nest(h, IPVS_CMD_ATTR_DEST);
  put_ip(h, IPVS_DEST_ATTR_ADDR, address);
  put16(h, IPVS_DEST_ATTR_PORT, htons(80));
  put32(h, IPVS_DEST_ATTR_FWD_METHOD, IP_VS_CONN_F_MASQ);
  put32(h, IPVS_DEST_ATTR_WEIGHT, 1);
  put32(h, IPVS_DEST_ATTR_U_THRESH, 0);
  put32(h, IPVS_DEST_ATTR_L_THRESH, 0);
  put16(h, IPVS_DEST_ATTR_ADDR_FAMILY, AF_INET);
  nest_end(h, d);
  queue(h);
}

static void open_ipvs(void) {
  int size = 32 << 20, on = 1;
  fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (connect(fd, (void *)&kernel, sizeof kernel)) { perror("connect"); exit(1); }
  struct nlmsghdr *h = begin(GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY);
  put(h, CTRL_ATTR_FAMILY_NAME, "IPVS", 5);
  if (send(fd, out, h->nlmsg_len, 0) < 0 || recv(fd, in, sizeof in, 0) < 0) { perror("IPVS"); exit(1); }
  h = (void *)in;
  if (h->nlmsg_type == NLMSG_ERROR) { fprintf(stderr, "raw: this kernel has no IPVS\n"); exit(1); }
  int left = (int)h->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN);
  struct nlattr *a = (void *)((char *)NLMSG_DATA(h) + GENL_HDRLEN);
  for (; left >= NLA_HDRLEN; left -= NLA_ALIGN(a->nla_len), a = (void *)((char *)a + NLA_ALIGN(a->nla_len)))
    if (a->nla_type == CTRL_ATTR_FAMILY_ID) memcpy(&family, (char *)a + NLA_HDRLEN, sizeof family);
  acked = seq - 1;
}

static const char *text(uint32_t ip) {
  struct in_addr a = {htonl(ip)};
  return inet_ntoa(a);
}

static void print_rules(uint32_t n, uint32_t r) {
  for (uint32_t i = 0; i < n; i++) {
    printf("-A -t %s:80 -s rr\n", text(VIP_BASE + i));
    for (uint32_t j = 0; j < r; j++) {
      printf("-a -t %s:80", text(VIP_BASE + i));
      printf(" -r %s:80 -m -w 1\n", text(REAL_BASE + i * r + j));
    }
  }
}

static int run(char **command) {
  double start = now_ms();
  pid_t child = fork();
  if (child == 0) {
    execvp(command[0], command);
    perror(command[0]);
    _exit(127);
  }
  int status = 0;
  struct rusage usage;
  if (wait4(child, &status, 0, &usage) < 0) { perror("wait4"); return 1; }
  fprintf(stderr, "%.2f %ld\n", now_ms() - start, usage.ru_maxrss);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv) {
  if (argc > 2 && !strcmp(argv[1], "run")) return run(argv + 2);
  if (argc < 4) { fprintf(stderr, "usage: raw prog|rules N R [BATCH], raw run COMMAND\n"); return 2; }
  uint32_t n = (uint32_t)atoi(argv[2]), r = (uint32_t)atoi(argv[3]);
  if (!strcmp(argv[1], "rules")) { print_rules(n, r); return 0; }
  if (argc > 4) batch = (unsigned)atoi(argv[4]);
  out = malloc((size_t)(batch + 1) * MESSAGE_MAX);
  open_ipvs();
  double start = now_ms();
  for (uint32_t i = 0; i < n; i++) {
    add_service(VIP_BASE + i);
    for (uint32_t j = 0; j < r; j++) add_real_server(VIP_BASE + i, REAL_BASE + i * r + j);
  }
  flush();
  printf("%.2f\n", now_ms() - start);
  if (errors) fprintf(stderr, "raw: %u operations failed\n", errors);
  return errors != 0;
}
