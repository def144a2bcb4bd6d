/* Load for the benchmarks: blocking keep-alive connections, one thread each, over HTTP/1.1 or the
 * Redis protocol, so that both sides are asked by the same client. Bodies that come back are
 * counted and dropped in the kernel (MSG_TRUNC). Prints one JSON object. Reads no other file of the
 * project.
 *
 *   load http HOST PORT CONNECTIONS SECONDS METHOD PATH [-H "Name: value"]… [-b BYTES | -f FILE]
 * [-n COUNT] [-m] load resp HOST PORT CONNECTIONS SECONDS SET|GET|INCR KEY [-b BYTES] [-n COUNT]
 *
 * A `@` in PATH or KEY becomes the connection's number. -b: that many bytes of noise; -f: a file's
 * bytes. -n: at most so many requests per connection. -m: compare and set: each request has
 * If-Match with the ETag of the reply before it; 412 is a try that was lost. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
    NOISE_BYTES = 1 << 20,
    HEAD_BYTES_MAX = 16384,
    ETAG_BYTES_MAX = 128,
    CONNECTIONS_MAX = 256,
    SAMPLES_MAX = 2000000
};

struct plan {
    bool resp;
    const char *host, *method, *path;
    uint16_t port;
    int connections;
    double seconds;
    uint64_t count_max;
    uint64_t body_size; /* of noise, or of `file` */
    const char *file;   /* NULL: noise */
    const char *noise;  /* NOISE_BYTES, repeated */
    char headers[4096];
    bool match;
};

struct worker {
    const struct plan *plan;
    pthread_t thread;
    int index, socket;
    char head[HEAD_BYTES_MAX];
    size_t head_size;
    char etag[ETAG_BYTES_MAX]; /* for If-Match: of the last reply, or * */
    bool was_lost;             /* the last try was answered with 412 */
    uint64_t requests, lost, bytes_in, bytes_out;
    double *samples; /* seconds each */
    double began, ended;
    char failure[512];
};

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
die(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(2);
}

static bool
fail(struct worker *w, const char *what)
{
    snprintf(w->failure, sizeof w->failure, "%.500s", what);
    return false;
}

static bool
send_all(struct worker *w, const char *bytes, size_t size, int flags)
{
    while (size > 0) {
        ssize_t sent = send(w->socket, bytes, size, flags | MSG_NOSIGNAL);

        if (sent <= 0)
            return fail(w, sent < 0 ? strerror(errno) : "connection closed while sending");
        bytes += sent;
        size -= (size_t)sent;
        w->bytes_out += (uint64_t)sent;
    }
    return true;
}

static bool
send_body(struct worker *w)
{
    const struct plan *p = w->plan;
    uint64_t left = p->body_size;

    if (p->file != NULL)
        return send_all(w, p->file, (size_t)left, 0);
    while (left > 0) {
        size_t piece = left < NOISE_BYTES ? (size_t)left : NOISE_BYTES;

        if (!send_all(w, p->noise, piece, 0))
            return false;
        left -= piece;
    }
    return true;
}

static bool
drop(struct worker *w, uint64_t left)
{
    while (left > 0) {
        size_t piece = left < (1u << 24) ? (size_t)left : 1u << 24;
        ssize_t got = recv(w->socket, NULL, piece, MSG_TRUNC);

        if (got <= 0)
            return fail(w, got < 0 ? strerror(errno) : "connection closed inside a reply");
        left -= (uint64_t)got;
        w->bytes_in += (uint64_t)got;
    }
    return true;
}

/* Reads up to the end of the head: `end`, with *extra bytes of what follows already taken. */
static bool
read_head(struct worker *w, char *head, const char *end, size_t *extra)
{
    size_t have = 0;

    for (;;) {
        ssize_t got = recv(w->socket, head + have, HEAD_BYTES_MAX - 1 - have, 0);
        char *found;

        if (got <= 0)
            return fail(w, got < 0 ? strerror(errno) : "connection closed before a reply");
        have += (size_t)got;
        w->bytes_in += (uint64_t)got;
        head[have] = '\0';
        found = strstr(head, end);
        if (found != NULL) {
            *extra = have - (size_t)(found - head) - strlen(end);
            *found = '\0';
            return true;
        }
        if (have == HEAD_BYTES_MAX - 1)
            return fail(w, "the head of a reply is too long");
    }
}

static bool
read_http(struct worker *w)
{
    char head[HEAD_BYTES_MAX];
    size_t extra;
    uint64_t length = 0;
    int status;

    if (!read_head(w, head, "\r\n\r\n", &extra))
        return false;
    status = (int)strtol(head + 9, NULL, 10);
    w->was_lost = w->plan->match && status == 412;
    if ((status < 200 || status >= 400) && !w->was_lost)
        return fail(w, head);
    for (char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, "content-length:", 15) == 0)
            length = strtoull(line + 17, NULL, 10);
        else if (strncasecmp(line + 2, "etag: ", 6) == 0)
            snprintf(w->etag, sizeof w->etag, "%.*s", (int)strcspn(line + 8, "\r"), line + 8);
    if (status == 304)
        length = 0;
    return length < extra ? fail(w, "more than one reply") : drop(w, length - extra);
}

static bool
read_resp(struct worker *w)
{
    char head[HEAD_BYTES_MAX];
    size_t extra;
    uint64_t length;

    if (!read_head(w, head, "\r\n", &extra))
        return false;
    if (head[0] == '+' || head[0] == ':')
        return true;
    if (head[0] != '$' || head[1] == '-')
        return fail(w, head);
    length = strtoull(head + 1, NULL, 10) + 2;
    return length < extra ? fail(w, "more than one reply") : drop(w, length - extra);
}

static bool
one(struct worker *w)
{
    const struct plan *p = w->plan;
    bool body = p->body_size > 0;

    if (!send_all(w, w->head, w->head_size, body || p->match ? MSG_MORE : 0))
        return false;
    if (p->match) {
        char line[ETAG_BYTES_MAX + 32];
        int size = snprintf(line, sizeof line, "If-Match: %s\r\n\r\n", w->etag);

        if (!send_all(w, line, (size_t)size, body ? MSG_MORE : 0))
            return false;
    }
    if (!send_body(w))
        return false;
    if (p->resp && body && !send_all(w, "\r\n", 2, 0))
        return false;
    return p->resp ? read_resp(w) : read_http(w);
}

/* `@` becomes the connection's number. */
static void
number(const char *text, int index, char *out, size_t size)
{
    size_t at = 0;

    for (; *text != '\0' && at + 16 < size; text++)
        if (*text == '@')
            at += (size_t)snprintf(out + at, size - at, "%d", index);
        else
            out[at++] = *text;
    out[at] = '\0';
}

static void
prepare(struct worker *w)
{
    const struct plan *p = w->plan;
    char path[2048];
    int size;

    number(p->path, w->index, path, sizeof path);
    if (p->resp && strcmp(p->method, "SET") == 0)
        size = snprintf(w->head, sizeof w->head, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%llu\r\n",
                        strlen(path), path, (unsigned long long)p->body_size);
    else if (p->resp)
        size = snprintf(w->head, sizeof w->head, "*2\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
                        strlen(p->method), p->method, strlen(path), path);
    else if (p->body_size > 0 || strcmp(p->method, "GET") != 0)
        size =
            snprintf(w->head, sizeof w->head,
                     "%s %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %llu\r\n%s", p->method,
                     path, p->headers, (unsigned long long)p->body_size, p->match ? "" : "\r\n");
    else
        size = snprintf(w->head, sizeof w->head, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                        p->method, path, p->headers);
    if (size < 0 || (size_t)size >= sizeof w->head)
        die("the request is too long");
    w->head_size = (size_t)size;
}

static void
open_connection(struct worker *w)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(w->plan->port)};
    struct timeval patience = {.tv_sec = 120};
    int yes = 1;

    if (inet_pton(AF_INET, w->plan->host, &address.sin_addr) != 1)
        die("HOST must be an IPv4 address");
    w->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (w->socket < 0 || connect(w->socket, (struct sockaddr *)&address, sizeof address) != 0)
        die(strerror(errno));
    setsockopt(w->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(w->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(w->socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

static void *
run(void *context)
{
    struct worker *w = context;
    double until = now() + w->plan->seconds, at;

    w->began = at = now();
    snprintf(w->etag, sizeof w->etag, "*");
    do {
        double before = at;

        if (!one(w))
            break;
        at = now();
        if (w->was_lost) {
            w->lost++;
            continue;
        }
        if (w->requests < SAMPLES_MAX)
            w->samples[w->requests] = at - before;
        w->requests++;
    } while (at < until && w->requests < w->plan->count_max);
    w->ended = at;
    return NULL;
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int
report(struct worker *workers, int count)
{
    uint64_t requests = 0, lost = 0, in = 0, out = 0;
    size_t samples = 0;
    double rate = 0, *all;

    for (int i = 0; i < count; i++) {
        if (workers[i].failure[0] != '\0')
            die(workers[i].failure);
        requests += workers[i].requests;
        lost += workers[i].lost;
        in += workers[i].bytes_in;
        out += workers[i].bytes_out;
        /* A connection that ends late must not make the others look slow. */
        rate += (double)workers[i].requests / (workers[i].ended - workers[i].began);
    }
    all = malloc((size_t)(requests + 1) * sizeof *all);
    if (all == NULL)
        die("out of memory");
    for (int i = 0; i < count; i++)
        for (uint64_t k = 0; k < workers[i].requests && k < SAMPLES_MAX; k++)
            all[samples++] = workers[i].samples[k];
    qsort(all, samples, sizeof *all, by_value);
    if (samples == 0)
        die("not one request was won");
    printf("{\"requests\": %llu, \"lost\": %llu, \"per_second\": %.3f, \"bytes_in\": %llu, "
           "\"bytes_out\": %llu, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"max_ms\": %.4f}\n",
           (unsigned long long)requests, (unsigned long long)lost, rate, (unsigned long long)in,
           (unsigned long long)out, all[samples / 2] * 1e3, all[samples * 99 / 100] * 1e3,
           all[samples - 1] * 1e3);
    free(all);
    return 0;
}

static const char *
read_file(const char *path, uint64_t *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes;
    long length;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (length = ftell(file)) < 0)
        die(path);
    rewind(file);
    bytes = malloc((size_t)length + 1);
    if (bytes == NULL || fread(bytes, 1, (size_t)length, file) != (size_t)length)
        die(path);
    fclose(file);
    *size = (uint64_t)length;
    return bytes;
}

static char *
make_noise(void)
{
    char *noise = malloc(NOISE_BYTES);
    uint64_t state = 88172645463325252u;

    if (noise == NULL)
        die("out of memory");
    for (size_t i = 0; i < NOISE_BYTES; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise[i] = (char)(state & 0x3f); /* small exponents: adding these as floats stays finite */
    }
    return noise;
}

static void
options(struct plan *p, int argc, char **argv)
{
    int letter;

    while ((letter = getopt(argc, argv, "H:b:f:n:m")) != -1) {
        size_t used = strlen(p->headers);

        switch (letter) {
        case 'H':
            if (used + strlen(optarg) + 3 > sizeof p->headers)
                die("too many headers");
            snprintf(p->headers + used, sizeof p->headers - used, "%s\r\n", optarg);
            break;
        case 'b':
            p->body_size = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            p->file = read_file(optarg, &p->body_size);
            break;
        case 'm':
            p->match = true;
            break;
        case 'n':
            p->count_max = strtoull(optarg, NULL, 10);
            break;
        default:
            die("unknown option");
        }
    }
}

int
main(int argc, char **argv)
{
    static struct worker workers[CONNECTIONS_MAX];
    struct plan plan = {.count_max = UINT64_MAX};

    if (argc < 8)
        die("http|resp HOST PORT CONNECTIONS SECONDS METHOD PATH [-H header]… [-b bytes | -f file] "
            "[-n count] [-m]");
    plan.resp = strcmp(argv[1], "resp") == 0;
    plan.host = argv[2];
    plan.port = (uint16_t)strtoul(argv[3], NULL, 10);
    plan.connections = (int)strtol(argv[4], NULL, 10);
    plan.seconds = strtod(argv[5], NULL);
    plan.method = argv[6];
    plan.path = argv[7];
    if (plan.connections < 1 || plan.connections > CONNECTIONS_MAX)
        die("CONNECTIONS must be 1 to 256");
    options(&plan, argc - 7, argv + 7);
    plan.noise = make_noise();
    for (int i = 0; i < plan.connections; i++) {
        workers[i].plan = &plan;
        workers[i].index = i;
        workers[i].samples = malloc(sizeof(double) * SAMPLES_MAX);
        if (workers[i].samples == NULL)
            die("out of memory");
        prepare(&workers[i]);
        open_connection(&workers[i]);
    }
    for (int i = 0; i < plan.connections; i++)
        if (pthread_create(&workers[i].thread, NULL, run, &workers[i]) != 0)
            die("cannot start a thread");
    for (int i = 0; i < plan.connections; i++)
        pthread_join(workers[i].thread, NULL);
    return report(workers, plan.connections);
}
