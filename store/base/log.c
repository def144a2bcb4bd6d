/* The log: one JSON object a line on standard error, whole lines only.
 *
 * Always true: whatever a client sent, a line stays one line, stays valid JSON and UTF-8 and
 * carries no control characters to a terminal; it is cut, never overrun; it needs no memory, so
 * that running out of it can be logged. A message that comes again within a second is counted, and
 * the count is told when it is next written. Rotating and shipping lines are left to whoever reads
 * them. */
#include "store/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "store/base/clock.h"

enum {
    LOG_TEXT_BYTES_MAX = 1536, /* of a message before it is escaped */
    LOG_LINE_BYTES_MAX = 16384,
    LOG_RECENT_COUNT = 64,
    LOG_REPEAT_MS = 1000,
};

/* Messages written lately, by hash; two that share a place push each other out and are then written
 * more often than asked, never less. */
static struct {
    _Atomic int level;
    pthread_mutex_t mutex; /* the fields below, and the order of lines */
    struct {
        uint64_t hash, written_ms, held_back;
    } recent[LOG_RECENT_COUNT];
} state = {.level = LOG_INFO, .mutex = PTHREAD_MUTEX_INITIALIZER};

/* A line being put together. What does not fit is left out. */
struct line {
    size_t size;
    char text[LOG_LINE_BYTES_MAX];
};

static void
put(struct line *line, const char *text, size_t size)
{
    if (size > sizeof line->text - line->size)
        return;
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

static void
put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Bytes of the character at p, 0 when it is not well-formed UTF-8 (RFC 3629: no surrogates, nothing
 * past U+10FFFF, no longer form than needed). The NUL at the end stops every look ahead. */
static size_t
character_size(const unsigned char *p)
{
    size_t size = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;

    if (size == 0 || p[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return size;
}

static void
put_code(struct line *line, unsigned code)
{
    char escape[8];

    snprintf(escape, sizeof escape, "\\u%04x", code & 0xFFFFU);
    put_text(line, escape);
}

/* As a JSON string. Control characters (C0, DEL, C1) and broken bytes never pass as they are. */
static void
put_string(struct line *line, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    put_text(line, "\"");
    while (*p != '\0') {
        size_t size = character_size(p);

        if (size == 0)
            put_code(line, 0xFFFD);
        else if (*p == '"' || *p == '\\')
            put(line, (const char[]){'\\', (char)*p}, 2);
        else if (*p < 0x20 || *p == 0x7F)
            put_code(line, *p);
        else if (*p == 0xC2 && p[1] < 0xA0)
            put_code(line, p[1]);
        else
            put(line, (const char *)p, size);
        p += size ? size : 1;
    }
    put_text(line, "\"");
}

static void
put_member(struct line *line, const char *name, const char *text)
{
    put_text(line, ",\"");
    put_text(line, name);
    put_text(line, "\":");
    put_string(line, text);
}

/* Whole or, when standard error is gone, not at all: there is nobody to tell. */
static void
write_line(const char *text, size_t size)
{
    struct iovec parts[2] = {{(void *)(uintptr_t)text, size}, {(void *)(uintptr_t) "\n", 1}};
    struct iovec *part = parts;

    while (part < parts + 2) {
        ssize_t written = writev(STDERR_FILENO, part, (int)(parts + 2 - part));
        size_t left;

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return;
        for (left = (size_t)written; part < parts + 2 && left >= part->iov_len; part++)
            left -= part->iov_len;
        if (part < parts + 2) {
            part->iov_base = (char *)part->iov_base + left;
            part->iov_len -= left;
        }
    }
}

/* FNV-1a, from http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t
hash_of(const char *text, uint64_t hash)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001B3);
    return hash;
}

/* False when the same was written less than a second ago. *held_back: how often that was so since.
 * With the mutex held. */
static bool
is_due(uint64_t hash, uint64_t *held_back)
{
    uint64_t now_ms = clock_monotonic_ms();
    size_t i = hash % LOG_RECENT_COUNT;

    *held_back = 0;
    if (state.recent[i].hash == hash) {
        if (now_ms - state.recent[i].written_ms < LOG_REPEAT_MS) {
            state.recent[i].held_back++;
            return false;
        }
        *held_back = state.recent[i].held_back;
    }
    state.recent[i].hash = hash;
    state.recent[i].written_ms = now_ms;
    state.recent[i].held_back = 0;
    return true;
}

static void
begin(struct line *line, const char *level, const char *message)
{
    uint64_t wall_ms = clock_wall_ms();
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc = {0};
    char day[32] = "", when[48];

    gmtime_r(&seconds, &utc);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(when, sizeof when, "{\"time\":\"%s.%03uZ\"", day, (unsigned)(wall_ms % 1000));
    line->size = 0;
    put_text(line, when);
    put_member(line, "level", level);
    put_member(line, "message", message);
}

static void
end(struct line *line, uint64_t hash)
{
    uint64_t held_back = 0;
    char repeated[48];

    pthread_mutex_lock(&state.mutex);
    if (is_due(hash, &held_back)) {
        if (held_back > 0) {
            snprintf(repeated, sizeof repeated, ",\"repeated\":%llu",
                     (unsigned long long)held_back);
            put_text(line, repeated);
        }
        put_text(line, "}");
        write_line(line->text, line->size);
    }
    pthread_mutex_unlock(&state.mutex);
}

static bool
is_wanted(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&state.level, memory_order_relaxed);
}

void
log_set_level(enum log_level level)
{
    atomic_store(&state.level, (int)level);
}

void
log_write(enum log_level level, const char *format, ...)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    char text[LOG_TEXT_BYTES_MAX];
    struct line line;
    va_list args;
    int length;

    if (!is_wanted(level))
        return;
    va_start(args, format);
    length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length >= (int)sizeof text)
        memcpy(text + sizeof text - sizeof "...", "...", sizeof "...");
    begin(&line, names[level], text);
    end(&line, hash_of(text, (uint64_t)level + 1));
}

void
log_failure(const char *doing, const struct err *err)
{
    char text[LOG_TEXT_BYTES_MAX];
    struct line line;

    if (!is_wanted(LOG_ERROR))
        return;
    snprintf(text, sizeof text, "%s: %s", doing, err->text);
    begin(&line, "error", text);
    put_member(&line, "code", err_wire_name(err->code));
    if (err->where != NULL)
        put_member(&line, "where", err->where);
    if (err->about_kind != NULL) {
        put_member(&line, "about_kind", err->about_kind);
        put_member(&line, "about", err->about);
    }
    end(&line, hash_of(text, (uint64_t)LOG_ERROR + 1));
}

void
log_line(const char *json)
{
    pthread_mutex_lock(&state.mutex);
    write_line(json, strlen(json));
    pthread_mutex_unlock(&state.mutex);
}
