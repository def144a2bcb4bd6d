/* Where lines of the access log are gathered. Always true: lines are whole, in the order in which
 * they were added, and none is left out. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/observe/access_log.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/clock.h"
#include "store/base/lock.h"
#include "store/base/log.h"

enum { PAGE_BYTES = 256 * 1024, HEAD_BYTES_MAX = 64, TIME_BYTES_MAX = 32 };

struct page {
    size_t used;
    char text[PAGE_BYTES + 1];
};

struct api_access_log {
    struct lock lock;            /* guards the rest */
    struct condition some, room; /* something was added; the page is another one */
    struct page *filling;        /* of these two pages; the other one is the thread's */
    struct page pages[2];
    time_t second; /* that `time` tells */
    char time[TIME_BYTES_MAX];
    bool stop;
    pthread_t thread;
};

/* Takes the page that was filled, and lets the other one be filled meanwhile. */
static struct page *
take_page(struct api_access_log *log)
{
    struct page *full = log->filling;

    lock_check_held(&log->lock);
    log->filling = full == &log->pages[0] ? &log->pages[1] : &log->pages[0];
    condition_broadcast(&log->room);
    return full;
}

static void *
write_pages(void *context)
{
    struct api_access_log *log = context;

    lock_acquire(&log->lock);
    while (!log->stop || log->filling->used > 0) {
        struct page *page;

        if (log->filling->used == 0) {
            condition_wait(&log->some, &log->lock);
            continue;
        }
        if (!log->stop && log->filling->used < PAGE_BYTES / 2)
            (void)condition_wait_ms(&log->some, &log->lock, API_ACCESS_LOG_DELAY_MS);
        page = take_page(log);
        lock_release(&log->lock);
        page->text[page->used - 1] = '\0'; /* the last line's end: log_line makes one */
        log_line(page->text);
        page->used = 0;
        lock_acquire(&log->lock);
    }
    lock_release(&log->lock);
    return NULL;
}

enum err_code
api_access_log_open(struct api_access_log **out, struct err *err)
{
    struct api_access_log *log = mem_zeroed(1, sizeof *log, err);
    int rc;

    if (log == NULL)
        return ERR_NO_MEMORY;
    log->filling = &log->pages[0];
    log->second = -1;
    lock_init(&log->lock);
    condition_init(&log->some);
    condition_init(&log->room);
    rc = pthread_create(&log->thread, NULL, write_pages, log);
    if (rc == 0) {
        *out = log;
        return OK;
    }
    condition_drop(&log->some);
    condition_drop(&log->room);
    lock_drop(&log->lock);
    mem_free(log);
    return err_set(err, ERR_UNAVAILABLE, "the access log's thread does not start: %s",
                   strerror(rc));
}

void
api_access_log_close(struct api_access_log *log)
{
    if (log == NULL)
        return;
    lock_acquire(&log->lock);
    log->stop = true;
    condition_signal(&log->some);
    lock_release(&log->lock);
    CHECK(pthread_join(log->thread, NULL) == 0);
    condition_drop(&log->some);
    condition_drop(&log->room);
    lock_drop(&log->lock);
    mem_free(log);
}

/* {"time":"2026-11-30T05:48:33.623Z". The second is written out once. */
static size_t
put_head(struct api_access_log *log, char *out)
{
    static const char begin[] = "{\"time\":\"";
    uint64_t wall_ms = clock_wall_ms();
    time_t second = (time_t)(wall_ms / 1000);
    unsigned ms = (unsigned)(wall_ms % 1000);
    size_t used = sizeof begin - 1, size;
    struct tm utc = {0};

    if (second != log->second) {
        gmtime_r(&second, &utc);
        strftime(log->time, sizeof log->time, "%Y-%m-%dT%H:%M:%S.", &utc);
        log->second = second;
    }
    size = strlen(log->time);
    memcpy(out, begin, used);
    memcpy(out + used, log->time, size);
    used += size;
    out[used++] = (char)('0' + ms / 100);
    out[used++] = (char)('0' + ms / 10 % 10);
    out[used++] = (char)('0' + ms % 10);
    out[used++] = 'Z';
    out[used++] = '"';
    return used;
}

void
api_access_log_add(struct api_access_log *log, const char *text, size_t size)
{
    struct page *page;

    CHECK(size < PAGE_BYTES / 2);
    lock_acquire(&log->lock);
    while (log->filling->used + HEAD_BYTES_MAX + size + 2 > PAGE_BYTES)
        condition_wait(&log->room, &log->lock);
    page = log->filling;
    if (page->used == 0 || (page->used < PAGE_BYTES / 2 && page->used + size >= PAGE_BYTES / 2))
        condition_signal(&log->some);
    page->used += put_head(log, page->text + page->used);
    memcpy(page->text + page->used, text, size);
    page->used += size;
    page->text[page->used++] = '}';
    page->text[page->used++] = '\n';
    lock_release(&log->lock);
}
