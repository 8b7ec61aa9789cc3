/* wsload: a load generator for Pusher-protocol servers.
 *
 *   cc -O2 -o wsload wsload.c -lcrypto
 *
 * One epoll thread drives N WebSocket subscribers and P keep-alive HTTP
 * publishers, and checks what arrives: every subscriber must see every event
 * of each publisher once and in order. It prints one JSON object.
 *
 *   wsload fanout  --conns 1000 --channels 1 --publishers 1 --seconds 10
 *                  closed loop: each publisher posts, waits for the answer,
 *                  and keeps at most --window events undelivered
 *   wsload rate    --conns 500 --rate 100 --seconds 10
 *                  open loop: RATE events a second in all
 *   wsload churn   --conns 200 --seconds 10
 *                  connect, subscribe, close, again
 *   wsload idle    --conns 5000 --seconds 5
 *                  connect, subscribe, hold
 *   wsload client  --conns 100 --channels 1 --seconds 10
 *                  private channels; the first socket of each channel sends
 *                  client events, the others receive
 *
 * Common: --host 127.0.0.1 --port 6001 --ports 1 (the n-th socket goes to the
 *   n-th of so many ports in a row, publishers to the first) --app-id 1
 *   --key app-key --secret app-secret --size 100 (payload bytes) --batch 1 (events per POST;
 *   above 1 goes to batch_events) --pid PID (repeatable: process trees whose
 *   CPU and memory are charged) --prefix bench --window 64 --presence
 *   --expect-close (count, do not fail on, closed sockets) --ramp 2000/s
 *   server_cpu_us_per_unit is charged a delivery (a session in churn),
 *   server_cpu_us_per_publish an event published
 *   --centrifugo (speak Centrifugo's JSON protocol and /api/publish instead,
 *   public channels and single events only; --secret is then its API key)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum state { ST_CONNECTING, ST_UPGRADING, ST_WAIT_ESTABLISHED, ST_WAIT_SUBSCRIBED, ST_READY, ST_CLOSED };
enum mode { M_FANOUT, M_RATE, M_CHURN, M_IDLE, M_CLIENT };

struct conn {
    int fd;
    bool http;
    enum state state;
    int index;          /* subscriber or publisher number */
    int channel;
    char *buf;          /* unparsed input */
    size_t len, cap;
    char *out;          /* unsent output */
    size_t out_len, out_off, out_cap;
    char socket_id[64];
    long *last_seq;     /* per publisher (fan-out check) */
    /* publishers */
    long seq;
    bool waiting;
    int64_t sent_at;
    int64_t started_at;
};

static struct {
    const char *host, *app_id, *key, *secret, *prefix;
    int port, ports, conns, channels, publishers, size, batch, window, npids, ramp;
    int pids[64];
    double seconds, rate;
    enum mode mode;
    bool presence, expect_close, centrifugo;
} opt = {.host = "127.0.0.1", .port = 6001, .ports = 1, .app_id = "1", .key = "app-key", .secret = "app-secret",
         .prefix = "bench", .conns = 100, .channels = 1, .publishers = 1, .size = 100, .batch = 1,
         .window = 64, .seconds = 10, .rate = 100, .ramp = 4000};

static int ep;
static struct conn *subs, *pubs;
static int *channel_members;
static long deliveries, published, bytes_in, out_of_order, duplicates, missing, closed_early, http_errors, ready, sessions, errors_seen;
static long redialled;        /* publisher connections that the server closed */
static char first_error[512];
static long outstanding;      /* deliveries still expected */
static uint32_t *lat;         /* microseconds */
static size_t lat_n, lat_cap;
static uint32_t *pub_lat;
static size_t pub_n, pub_cap;
static bool measuring;

static int64_t now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void die(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "wsload: ");
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    exit(1);
}

static void record(uint32_t **a, size_t *n, size_t *cap, int64_t ns) {
    if (*n == *cap) {
        *cap = *cap ? *cap * 2 : 1 << 20;
        *a = realloc(*a, *cap * sizeof **a);
    }
    int64_t us = ns / 1000;
    (*a)[(*n)++] = us < 0 ? 0 : us > 0xffffffff ? 0xffffffff : (uint32_t)us;
}

static int cmp_u32(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static double pct(uint32_t *a, size_t n, double p) {
    if (!n) return 0;
    size_t i = (size_t)(p * (n - 1));
    return a[i] / 1000.0;
}

/* ---- process accounting ---- */
static bool in_tree(int pid) {
    while (pid > 1) {
        for (int i = 0; i < opt.npids; i++)
            if (opt.pids[i] == pid) return true;
        char path[64], line[1024];
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *f = fopen(path, "r");
        if (!f) return false;
        if (!fgets(line, sizeof line, f)) { fclose(f); return false; }
        fclose(f);
        char *p = strrchr(line, ')');
        int ppid = 0;
        if (!p || sscanf(p + 2, "%*c %d", &ppid) != 1) return false;
        pid = ppid;
    }
    return false;
}

static void account(double *cpu, double *user, double *sys, long *pss_kb, int *nproc) {
    *cpu = *user = *sys = 0;
    *pss_kb = 0;
    *nproc = 0;
    if (!opt.npids) return;
    long hz = sysconf(_SC_CLK_TCK);
    DIR *d = opendir("/proc");
    struct dirent *e;
    while ((e = readdir(d))) {
        int pid = atoi(e->d_name);
        if (pid <= 0 || !in_tree(pid)) continue;
        char path[64], line[4096];
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *f = fopen(path, "r");
        if (!f) continue;
        if (fgets(line, sizeof line, f)) {
            unsigned long ut = 0, st = 0;
            char *p = strrchr(line, ')');
            sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &ut, &st);
            *user += (double)ut / hz;
            *sys += (double)st / hz;
        }
        fclose(f);
        snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
        f = fopen(path, "r");
        if (f) {
            while (fgets(line, sizeof line, f)) {
                long kb;
                if (sscanf(line, "Pss: %ld", &kb) == 1) { *pss_kb += kb; break; }
            }
            fclose(f);
        }
        (*nproc)++;
    }
    closedir(d);
    *cpu = *user + *sys;
}

/* ---- output ---- */
static void want(struct conn *c, bool write) {
    struct epoll_event ev = {.events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
}

static void flush_out(struct conn *c) {
    while (c->out_off < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EAGAIN) { want(c, true); return; }
            return;
        }
        c->out_off += n;
    }
    if (c->out_len) want(c, false);
    c->out_len = c->out_off = 0;
}

static void put(struct conn *c, const void *data, size_t n) {
    if (c->out_len + n > c->out_cap) {
        c->out_cap = (c->out_len + n) * 2 + 256;
        c->out = realloc(c->out, c->out_cap);
    }
    memcpy(c->out + c->out_len, data, n);
    c->out_len += n;
}

static void put_frame(struct conn *c, int opcode, const char *payload, size_t n) {
    unsigned char h[14];
    size_t hn = 2;
    h[0] = 0x80 | opcode;
    if (n < 126) h[1] = 0x80 | n;
    else if (n < 65536) { h[1] = 0x80 | 126; h[2] = n >> 8; h[3] = n; hn = 4; }
    else { h[1] = 0x80 | 127; for (int i = 0; i < 8; i++) h[2 + i] = (uint64_t)n >> (56 - 8 * i); hn = 10; }
    memset(h + hn, 0, 4); /* a zero mask leaves the payload as it is */
    put(c, h, hn + 4);
    put(c, payload, n);
}

/* ---- connecting ---- */
static void hex(const unsigned char *in, int n, char *out) {
    for (int i = 0; i < n; i++) sprintf(out + 2 * i, "%02x", in[i]);
}

static void hmac_hex(const char *s, size_t n, char *out) {
    unsigned char md[32];
    unsigned int mn = 32;
    HMAC(EVP_sha256(), opt.secret, strlen(opt.secret), (const unsigned char *)s, n, md, &mn);
    hex(md, 32, out);
}

static void channel_name(int ch, char *out, size_t cap) {
    const char *kind = opt.presence ? "presence-" : opt.mode == M_CLIENT ? "private-" : "";
    snprintf(out, cap, "%s%s-%d", kind, opt.prefix, ch);
}

static void dial(struct conn *c) {
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) die("socket: %s", strerror(errno));
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    /* spread the client side over 127.0.0.x so that ports do not run out */
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    struct sockaddr_in src = {.sin_family = AF_INET};
    src.sin_addr.s_addr = htonl(0x7f000001 + (c->http ? 0 : c->index / 20000));
    if (src.sin_addr.s_addr != htonl(INADDR_LOOPBACK)) bind(c->fd, (struct sockaddr *)&src, sizeof src);
    struct sockaddr_in dst = {.sin_family = AF_INET, .sin_port = htons(opt.port + (c->http ? 0 : c->index % opt.ports))};
    inet_pton(AF_INET, opt.host, &dst.sin_addr);
    if (connect(c->fd, (struct sockaddr *)&dst, sizeof dst) < 0 && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    c->state = ST_CONNECTING;
    c->len = c->out_len = c->out_off = 0;
    c->started_at = now_ns();
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
}

static void on_connected(struct conn *c) {
    if (c->http) {
        c->state = ST_READY;
        want(c, false);
        return;
    }
    char req[1024], target[512];
    if (opt.centrifugo) snprintf(target, sizeof target, "/connection/websocket");
    else snprintf(target, sizeof target, "/app/%s?protocol=7&client=wsload&version=1", opt.key);
    int n = snprintf(req, sizeof req,
                     "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                     target, opt.host, opt.port);
    put(c, req, n);
    c->state = ST_UPGRADING;
    flush_out(c);
}

static void subscribe(struct conn *c) {
    char ch[256], msg[2048], auth[128] = "";
    channel_name(c->channel, ch, sizeof ch);
    int n;
    if (opt.centrifugo)
        n = snprintf(msg, sizeof msg, "{\"id\":2,\"subscribe\":{\"channel\":\"%s\"}}", ch);
    else if (opt.presence || opt.mode == M_CLIENT) {
        char sts[1024], data[256], esc[512];
        snprintf(data, sizeof data, "{\"user_id\":\"u%d\"}", c->index);
        snprintf(esc, sizeof esc, "{\\\"user_id\\\":\\\"u%d\\\"}", c->index);
        int sn = opt.presence ? snprintf(sts, sizeof sts, "%s:%s:%s", c->socket_id, ch, data)
                              : snprintf(sts, sizeof sts, "%s:%s", c->socket_id, ch);
        hmac_hex(sts, sn, auth);
        if (opt.presence)
            n = snprintf(msg, sizeof msg, "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\",\"auth\":\"%s:%s\",\"channel_data\":\"%s\"}}", ch, opt.key, auth, esc);
        else
            n = snprintf(msg, sizeof msg, "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\",\"auth\":\"%s:%s\"}}", ch, opt.key, auth);
    } else
        n = snprintf(msg, sizeof msg, "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\"}}", ch);
    put_frame(c, 1, msg, n);
    c->state = ST_WAIT_SUBSCRIBED;
    flush_out(c);
}

static void hangup(struct conn *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    c->state = ST_CLOSED;
}

/* ---- input ---- */
static bool has(const char *p, size_t n, const char *needle) { return memmem(p, n, needle, strlen(needle)) != NULL; }

static void on_event(struct conn *c, const char *p, size_t n) {
    if (c->state == ST_READY) {
        const char *m = memmem(p, n, "@@", 2);
        if (m) {
            char *end;
            long pub = strtol(m + 2, &end, 10);
            long seq = strtol(end + 1, &end, 10);
            int64_t t = strtoll(end + 1, &end, 10);
            if (c->last_seq) {
                long last = c->last_seq[pub];
                if (seq <= last) { if (seq == last) duplicates++; else out_of_order++; }
                else if (last && seq != last + 1 && opt.channels == 1) missing += seq - last - 1;
                c->last_seq[pub] = seq;
            }
            deliveries++;
            outstanding--;
            if (measuring) record(&lat, &lat_n, &lat_cap, now_ns() - t);
            return;
        }
        if (has(p, n, "\"pusher:ping\"")) { put_frame(c, 1, "{\"event\":\"pusher:pong\",\"data\":{}}", 33); flush_out(c); return; }
        if (has(p, n, "pusher:error")) { errors_seen++; if (!first_error[0]) snprintf(first_error, sizeof first_error, "%.*s", (int)n, p); }
        return;
    }
    if (has(p, n, "pusher:error")) { errors_seen++; if (!first_error[0]) snprintf(first_error, sizeof first_error, "%.*s", (int)n, p); return; }
    if (c->state == ST_WAIT_ESTABLISHED && has(p, n, "pusher:connection_established")) {
        const char *s = memmem(p, n, "socket_id", 9);
        s += 9;
        while (!(*s >= '0' && *s <= '9')) s++;
        int i = 0;
        while (((*s >= '0' && *s <= '9') || *s == '.') && i < 63) c->socket_id[i++] = *s++;
        c->socket_id[i] = 0;
        subscribe(c);
    } else if (c->state == ST_WAIT_SUBSCRIBED && has(p, n, "subscription_succeeded")) {
        c->state = ST_READY;
        ready++;
        sessions++;
        if (measuring && opt.mode == M_CHURN) record(&lat, &lat_n, &lat_cap, now_ns() - c->started_at);
    }
}

/* Centrifugo puts several messages into one frame, a line each */
static void on_centrifugo(struct conn *c, const char *p, size_t n) {
    while (n) {
        const char *e = memchr(p, '\n', n);
        size_t l = e ? (size_t)(e - p) : n;
        if (c->state == ST_READY && l == 2) { put_frame(c, 1, "{}", 2); flush_out(c); }
        else if (c->state == ST_WAIT_ESTABLISHED && has(p, l, "\"connect\"")) subscribe(c);
        else if (c->state == ST_WAIT_SUBSCRIBED && has(p, l, "\"subscribe\"")) {
            c->state = ST_READY;
            ready++;
            sessions++;
            if (measuring && opt.mode == M_CHURN) record(&lat, &lat_n, &lat_cap, now_ns() - c->started_at);
        } else if (has(p, l, "\"error\"")) { errors_seen++; if (!first_error[0]) snprintf(first_error, sizeof first_error, "%.*s", (int)l, p); }
        else on_event(c, p, l);
        p += e ? l + 1 : l;
        n -= e ? l + 1 : l;
    }
}

static void parse_ws(struct conn *c) {
    size_t off = 0;
    if (c->state == ST_UPGRADING) {
        char *e = memmem(c->buf, c->len, "\r\n\r\n", 4);
        if (!e) return;
        if (!has(c->buf, e - c->buf, " 101 ")) die("handshake refused: %.*s", (int)(e - c->buf), c->buf);
        off = e + 4 - c->buf;
        c->state = ST_WAIT_ESTABLISHED;
        if (opt.centrifugo) { put_frame(c, 1, "{\"id\":1,\"connect\":{}}", 21); flush_out(c); }
    }
    while (c->state != ST_CLOSED && c->len - off >= 2) {
        unsigned char *p = (unsigned char *)c->buf + off;
        size_t n = p[1] & 127, h = 2;
        if (n == 126) { if (c->len - off < 4) break; n = p[2] << 8 | p[3]; h = 4; }
        else if (n == 127) { if (c->len - off < 10) break; n = 0; for (int i = 0; i < 8; i++) n = n << 8 | p[2 + i]; h = 10; }
        if (c->len - off < h + n) break;
        int op = p[0] & 15;
        if (op == 1 || op == 2) opt.centrifugo ? on_centrifugo(c, (char *)p + h, n) : on_event(c, (char *)p + h, n);
        else if (op == 9) { put_frame(c, 10, (char *)p + h, n); flush_out(c); }
        else if (op == 8) {
            closed_early++;
            if (!first_error[0]) snprintf(first_error, sizeof first_error, "close %d %.*s", n >= 2 ? p[h] << 8 | p[h + 1] : 0, n > 2 ? (int)n - 2 : 0, (char *)p + h + 2);
            hangup(c);
            return;
        }
        off += h + n;
    }
    memmove(c->buf, c->buf + off, c->len - off);
    c->len -= off;
}

static void parse_http(struct conn *c) {
    while (c->len) {
        char *e = memmem(c->buf, c->len, "\r\n\r\n", 4);
        if (!e) return;
        size_t head = e + 4 - c->buf, body = 0;
        char save = *e;
        *e = 0;
        char *cl = strcasestr(c->buf, "content-length:");
        if (cl) body = strtoul(cl + 15, NULL, 10);
        int status = atoi(c->buf + 9);
        bool chunked = strcasestr(c->buf, "transfer-encoding: chunked") != NULL;
        bool closes = strcasestr(c->buf, "\nconnection: close") != NULL;
        *e = save;
        if (chunked) {
            char *z = memmem(c->buf + head, c->len - head, "0\r\n\r\n", 5);
            if (!z) return;
            body = z + 5 - (c->buf + head);
        }
        if (c->len < head + body) return;
        if (status != 200 && status != 202) {
            http_errors++;
            if (!first_error[0]) snprintf(first_error, sizeof first_error, "%.*s", (int)(head + body > 500 ? 500 : head + body), c->buf);
        }
        memmove(c->buf, c->buf + head + body, c->len - head - body);
        c->len -= head + body;
        c->waiting = false;
        if (measuring) record(&pub_lat, &pub_n, &pub_cap, now_ns() - c->sent_at);
        if (closes) { close(c->fd); redialled++; dial(c); return; }
    }
}

static void readable(struct conn *c) {
    for (;;) {
        if (c->cap - c->len < 65536) { c->cap = c->cap ? c->cap * 2 : (c->http ? 131072 : 2048); if (c->cap - c->len < 1024) c->cap += 65536; c->buf = realloc(c->buf, c->cap); }
        size_t room = c->cap - c->len;
        ssize_t n = recv(c->fd, c->buf + c->len, room, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            if (c->http) {
                /* reconnect a dropped keep-alive connection */
                close(c->fd);
                if (c->waiting && !first_error[0]) snprintf(first_error, sizeof first_error, "a publisher's connection closed before the answer");
                c->waiting = false;
                redialled++;
                dial(c);
                return;
            }
            if (c->state != ST_CLOSED) closed_early++;
            hangup(c);
            return;
        }
        if (n < 0) break;
        bytes_in += n;
        c->len += n;
        if (c->http) { int fd = c->fd; parse_http(c); if (c->fd != fd || c->state == ST_CONNECTING) return; }
        else parse_ws(c);
        if (c->state == ST_CLOSED) return;
        if ((size_t)n < room) break;
    }
    if (!c->http && c->len == 0 && c->cap > 8192) { free(c->buf); c->buf = NULL; c->cap = 0; }
}

/* ---- publishing ---- */
static size_t event_json(struct conn *c, char *out, int ch) {
    char name[256];
    channel_name(ch, name, sizeof name);
    int n = sprintf(out, opt.centrifugo ? "{\"channel\":\"%s\",\"data\":\"@@%d:%ld:%lld@@" : "{\"name\":\"bench\",\"channel\":\"%s\",\"data\":\"@@%d:%ld:%lld@@", name, c->index, ++c->seq, (long long)now_ns());
    int pad = opt.size - 40;
    for (int i = 0; i < pad; i++) out[n++] = 'a' + i % 26;
    n += sprintf(out + n, "\"}");
    published++;
    outstanding += channel_members[ch];
    return n;
}

static void publish(struct conn *c) {
    static char *body, *req;
    if (!body) { body = malloc((opt.size + 512) * (size_t)opt.batch + 64); req = malloc((opt.size + 512) * (size_t)opt.batch + 2048); }
    size_t n = 0;
    const char *path = opt.batch > 1 ? "batch_events" : "events";
    if (opt.batch > 1) {
        n = sprintf(body, "{\"batch\":[");
        for (int i = 0; i < opt.batch; i++) {
            if (i) body[n++] = ',';
            n += event_json(c, body + n, (int)(c->seq % opt.channels));
        }
        n += sprintf(body + n, "]}");
    } else
        n = event_json(c, body, (int)(c->seq % opt.channels));
    if (opt.centrifugo) {
        int cn = sprintf(req, "POST /api/publish HTTP/1.1\r\nHost: %s:%d\r\nX-API-Key: %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", opt.host, opt.port, opt.secret, n);
        memcpy(req + cn, body, n);
        put(c, req, cn + n);
        c->waiting = true;
        c->sent_at = now_ns();
        flush_out(c);
        return;
    }
    unsigned char md[16];
    unsigned int mn = 16;
    EVP_Digest(body, n, md, &mn, EVP_md5(), NULL);
    char md5[33], sig[65], query[512], sts[1024];
    hex(md, 16, md5);
    snprintf(query, sizeof query, "auth_key=%s&auth_timestamp=%ld&auth_version=1.0&body_md5=%s", opt.key, time(NULL), md5);
    int sn = snprintf(sts, sizeof sts, "POST\n/apps/%s/%s\n%s", opt.app_id, path, query);
    hmac_hex(sts, sn, sig);
    int rn = sprintf(req, "POST /apps/%s/%s?%s&auth_signature=%s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                     opt.app_id, path, query, sig, opt.host, opt.port, n);
    memcpy(req + rn, body, n);
    put(c, req, rn + n);
    c->waiting = true;
    c->sent_at = now_ns();
    flush_out(c);
}

static void client_event(struct conn *c) {
    static char *msg;
    if (!msg) msg = malloc(opt.size + 1024);
    char name[256];
    channel_name(c->channel, name, sizeof name);
    int n = sprintf(msg, "{\"event\":\"client-bench\",\"channel\":\"%s\",\"data\":\"@@%d:%ld:%lld@@", name, 0, ++c->seq, (long long)now_ns());
    for (int i = 0; i < opt.size - 40; i++) msg[n++] = 'a' + i % 26;
    n += sprintf(msg + n, "\"}");
    put_frame(c, 1, msg, n);
    published++;
    outstanding += channel_members[c->channel] - 1;
    flush_out(c);
}

/* ---- the loop ---- */
static void poll_once(int timeout_ms) {
    struct epoll_event evs[512];
    int n = epoll_wait(ep, evs, 512, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct conn *c = evs[i].data.ptr;
        if (c->fd < 0) continue;
        if (c->state == ST_CONNECTING && evs[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
            int err = 0;
            socklen_t l = sizeof err;
            getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &l);
            if (err) die("connect: %s", strerror(err));
            on_connected(c);
            continue;
        }
        if (evs[i].events & EPOLLOUT) flush_out(c);
        if (evs[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
    }
}

int main(int argc, char **argv) {
    if (argc < 2) die("usage: wsload fanout|rate|churn|idle|client [options]");
    static const char *modes[] = {"fanout", "rate", "churn", "idle", "client"};
    int m = -1;
    for (int i = 0; i < 5; i++) if (!strcmp(argv[1], modes[i])) m = i;
    if (m < 0) die("no such mode: %s", argv[1]);
    opt.mode = m;
    for (int i = 2; i < argc; i++) {
        char *a = argv[i];
        if (!strcmp(a, "--presence")) { opt.presence = true; continue; }
        if (!strcmp(a, "--expect-close")) { opt.expect_close = true; continue; }
        if (!strcmp(a, "--centrifugo")) { opt.centrifugo = true; continue; }
        if (i + 1 >= argc) die("%s needs a value", a);
        char *v = argv[++i];
        if (!strcmp(a, "--host")) opt.host = v;
        else if (!strcmp(a, "--port")) opt.port = atoi(v);
        else if (!strcmp(a, "--ports")) opt.ports = atoi(v) < 1 ? 1 : atoi(v);
        else if (!strcmp(a, "--app-id")) opt.app_id = v;
        else if (!strcmp(a, "--key")) opt.key = v;
        else if (!strcmp(a, "--secret")) opt.secret = v;
        else if (!strcmp(a, "--prefix")) opt.prefix = v;
        else if (!strcmp(a, "--conns")) opt.conns = atoi(v);
        else if (!strcmp(a, "--channels")) opt.channels = atoi(v);
        else if (!strcmp(a, "--publishers")) opt.publishers = atoi(v);
        else if (!strcmp(a, "--size")) opt.size = atoi(v) < 40 ? 40 : atoi(v);
        else if (!strcmp(a, "--batch")) opt.batch = atoi(v);
        else if (!strcmp(a, "--window")) opt.window = atoi(v);
        else if (!strcmp(a, "--seconds")) opt.seconds = atof(v);
        else if (!strcmp(a, "--rate")) opt.rate = atof(v);
        else if (!strcmp(a, "--ramp")) opt.ramp = atoi(v);
        else if (!strcmp(a, "--pid")) { if (opt.npids < 64) opt.pids[opt.npids++] = atoi(v); }
        else die("no such option: %s", a);
    }
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    ep = epoll_create1(0);
    subs = calloc(opt.conns, sizeof *subs);
    pubs = calloc(opt.publishers, sizeof *pubs);
    channel_members = calloc(opt.channels, sizeof(int));

    double cpu0, u0, s0, cpu1, u1, s1;
    long mem0, mem1;
    int np;
    account(&cpu0, &u0, &s0, &mem0, &np);
    double ramp_cpu0 = cpu0;

    /* ramp up */
    int64_t t0 = now_ns();
    int dialled = 0;
    while (ready < opt.conns) {
        int due = (int)((now_ns() - t0) / 1e9 * opt.ramp) + 1;
        while (dialled < opt.conns && dialled < due && dialled - ready < 256) {
            struct conn *c = &subs[dialled];
            c->index = dialled;
            c->channel = dialled % opt.channels;
            c->last_seq = calloc(opt.publishers, sizeof(long));
            channel_members[c->channel]++;
            dial(c);
            dialled++;
        }
        poll_once(1);
        if (now_ns() - t0 > 120e9) die("only %ld of %d subscribed in 120 s; first error: %s", ready, opt.conns, first_error);
        if (closed_early && !opt.expect_close) die("a socket closed while connecting; first error: %s", first_error);
    }
    double ramp_s = (now_ns() - t0) / 1e9;
    bool publishes = opt.mode == M_FANOUT || opt.mode == M_RATE;
    if (publishes)
        for (int i = 0; i < opt.publishers; i++) { pubs[i].http = true; pubs[i].index = i; dial(&pubs[i]); }
    for (int64_t t = now_ns(); now_ns() - t < 300e6;) poll_once(5);
    account(&cpu0, &u0, &s0, &mem1, &np);
    double ramp_cpu = cpu0 - ramp_cpu0;
    long ramp_sessions = sessions;
    bytes_in = 0;
    measuring = true;
    struct rusage ru0, ru1;
    getrusage(RUSAGE_SELF, &ru0);

    int64_t start = now_ns(), stop = start + (int64_t)(opt.seconds * 1e9);
    long rated = 0;
    while (now_ns() < stop) {
        int wait = 1;
        if (opt.mode == M_FANOUT) {
            long per = opt.conns / opt.channels;
            for (int i = 0; i < opt.publishers; i++)
                if (pubs[i].state == ST_READY && !pubs[i].waiting && outstanding < (long)opt.window * (per ? per : 1)) { publish(&pubs[i]); }
        } else if (opt.mode == M_RATE) {
            long due = (long)((now_ns() - start) / 1e9 * opt.rate);
            for (int i = 0; i < opt.publishers && rated < due; i++)
                if (pubs[i].state == ST_READY && !pubs[i].waiting) { publish(&pubs[i]); rated += opt.batch; }
        } else if (opt.mode == M_CHURN) {
            for (int i = 0; i < opt.conns; i++)
                if (subs[i].state == ST_READY) { epoll_ctl(ep, EPOLL_CTL_DEL, subs[i].fd, NULL); hangup(&subs[i]); ready--; subs[i].index = i; dial(&subs[i]); }
        } else if (opt.mode == M_CLIENT) {
            for (int i = 0; i < opt.channels && i < opt.conns; i++)
                if (outstanding < (long)opt.window * opt.conns) client_event(&subs[i]);
        }
        poll_once(wait);
    }
    if (publishes || opt.mode == M_CLIENT) {
        int64_t drain = now_ns();
        while (outstanding > 0 && now_ns() - drain < 10e9) poll_once(1);
    }
    double secs = (now_ns() - start) / 1e9;
    account(&cpu1, &u1, &s1, &mem1, &np);
    getrusage(RUSAGE_SELF, &ru1);
    double own = (ru1.ru_utime.tv_sec - ru0.ru_utime.tv_sec) + (ru1.ru_stime.tv_sec - ru0.ru_stime.tv_sec) + (ru1.ru_utime.tv_usec - ru0.ru_utime.tv_usec) / 1e6 + (ru1.ru_stime.tv_usec - ru0.ru_stime.tv_usec) / 1e6;
    qsort(lat, lat_n, sizeof *lat, cmp_u32);
    qsort(pub_lat, pub_n, sizeof *pub_lat, cmp_u32);
    long units = opt.mode == M_CHURN ? sessions - ramp_sessions : deliveries;
    printf("{\"mode\":\"%s\",\"conns\":%d,\"channels\":%d,\"size\":%d,\"seconds\":%.2f,\"ramp_s\":%.2f,\"ramp_cpu_us_per_conn\":%.1f,"
           "\"published\":%ld,\"published_per_s\":%.0f,\"deliveries\":%ld,\"deliveries_per_s\":%.0f,\"sessions_per_s\":%.0f,"
           "\"p50_ms\":%.3f,\"p95_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"publish_p50_ms\":%.3f,\"publish_p99_ms\":%.3f,"
           "\"server_cpu_s\":%.2f,\"server_user_s\":%.2f,\"server_sys_s\":%.2f,\"server_cpu_us_per_unit\":%.3f,\"server_cpu_us_per_publish\":%.2f,\"server_procs\":%d,"
           "\"server_mem_mb\":%.1f,\"mem_kb_per_conn\":%.2f,\"own_cpu_s\":%.2f,"
           "\"undelivered\":%ld,\"missing\":%ld,\"duplicates\":%ld,\"out_of_order\":%ld,\"closed\":%ld,\"http_errors\":%ld,\"redialled\":%ld,\"errors\":%ld,\"first_error\":\"",
           modes[m], opt.conns, opt.channels, opt.size, secs, ramp_s, opt.conns ? ramp_cpu * 1e6 / opt.conns : 0, published, published / secs, deliveries, deliveries / secs,
           (sessions - ramp_sessions) / secs, pct(lat, lat_n, .5), pct(lat, lat_n, .95), pct(lat, lat_n, .99), pct(lat, lat_n, 1),
           pct(pub_lat, pub_n, .5), pct(pub_lat, pub_n, .99), cpu1 - cpu0, u1 - u0, s1 - s0, units ? (cpu1 - cpu0) * 1e6 / units : 0, published ? (cpu1 - cpu0) * 1e6 / published : 0, np,
           mem1 / 1024.0, opt.conns ? (double)(mem1 - mem0) / opt.conns : 0, own, outstanding, missing, duplicates, out_of_order, closed_early, http_errors, redialled, errors_seen);
    for (char *p = first_error; *p; p++) { if (*p == '"' || *p == '\\') putchar('\\'); if ((unsigned char)*p >= 32) putchar(*p); else putchar(' '); }
    printf("\"}\n");
    bool bad = missing || duplicates || out_of_order || http_errors || errors_seen || (closed_early && !opt.expect_close) || ((publishes || opt.mode == M_CLIENT) && outstanding > 0);
    return bad ? 2 : 0;
}
