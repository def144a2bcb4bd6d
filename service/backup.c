/* Always true: `begin` to `end` of the ring are bytes not read yet; the thread alone adds, the
 * reader alone takes, both under the lock. */
#include "service/backup.h"

#include "service/state.h"
#include "store/backup.h"
#include "store/base/alloc.h"
#include "store/base/clock.h"
#include "store/base/log.h"

enum { RING_BYTES = 1 << 20, BURST_US = 50000 };

struct service_backup {
    struct service *service;
    struct backup *backup; /* the thread's */
    pthread_t thread;
    bool started;
    struct lock lock; /* guards the rest */
    struct condition moved;
    uint8_t *ring;
    uint64_t begin, end; /* counted from the first byte; place: modulo the ring */
    bool ended, failed, dropped;
    bool reader_waits;
    void (*wake)(void *context);
    void *wake_context;
};

/* --- the thread ------------------------------------------------------------------------------- */

static void
wake_reader(struct service_backup *b)
{
    lock_check_held(&b->lock);
    if (!b->reader_waits || b->wake == NULL)
        return;
    b->reader_waits = false;
    b->wake(b->wake_context);
}

static uint64_t
smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* False: it is given up. */
static bool
add(struct service_backup *b, struct bytes bytes)
{
    lock_acquire(&b->lock);
    while (bytes.size > 0 && !b->dropped) {
        uint64_t at = b->end % RING_BYTES;
        size_t part =
            (size_t)smaller(smaller(RING_BYTES - at, RING_BYTES - (b->end - b->begin)), bytes.size);

        if (part == 0) {
            condition_wait(&b->moved, &b->lock);
            continue;
        }
        memcpy(b->ring + at, bytes.data, part);
        b->end += part;
        bytes.data += part;
        bytes.size -= part;
        wake_reader(b);
    }
    lock_release(&b->lock);
    return bytes.size == 0;
}

/* Waits as long as `size` bytes take at the rate. What was not used is not saved up. */
static void
keep_to_rate(struct service_backup *b, size_t size, uint64_t *due_us)
{
    uint64_t rate = b->service->limits.backup_rate_max_bytes, now_us = clock_monotonic_us();

    if (rate == 0)
        return;
    if (*due_us + BURST_US < now_us)
        *due_us = now_us - BURST_US;
    *due_us += size * 1000000 / rate;
    if (*due_us <= now_us)
        return;
    lock_acquire(&b->lock);
    while (!b->dropped &&
           *due_us > now_us) { /* its reader signals, too, whenever it has taken some */
        (void)condition_wait_ms(&b->moved, &b->lock, (*due_us - now_us + 999) / 1000);
        now_us = clock_monotonic_us();
    }
    lock_release(&b->lock);
}

static void
finish(struct service_backup *b, bool failed)
{
    lock_acquire(&b->lock);
    b->ended = true;
    b->failed = failed;
    wake_reader(b);
    lock_release(&b->lock);
}

static void *
make(void *context)
{
    struct service_backup *b = context;
    struct err err = ERR_INIT;
    uint64_t due_us = 0;
    struct bytes piece;

    for (;;) {
        if (backup_next(b->backup, &piece, &err) != OK) {
            log_failure("making a backup", &err);
            finish(b, true);
            return NULL;
        }
        if (piece.size == 0 || !add(b, piece))
            break;
        keep_to_rate(b, piece.size, &due_us);
    }
    finish(b, false);
    return NULL;
}

/* --- its reader ------------------------------------------------------------------------------- */

static enum err_code
start(struct service_backup *b, struct err *err)
{
    int rc;

    b->ring = mem_alloc(RING_BYTES, err);
    if (b->ring == NULL)
        return ERR_NO_MEMORY;
    TRY(backup_open(b->service->store, &b->backup, err));
    rc = pthread_create(&b->thread, NULL, make, b);
    b->started = rc == 0;
    if (!b->started)
        return err_set(err, ERR_UNAVAILABLE, "the backup's thread does not start: %s",
                       strerror(rc));
    return OK;
}

static enum err_code
enlist(struct service *service, struct err *err)
{
    if (atomic_fetch_add(&service->backups, 1) < service->limits.backups_max)
        return OK;
    atomic_fetch_sub(&service->backups, 1);
    return err_set(err, ERR_BUSY, "%u backups are under way already (setting backups_max)",
                   service->limits.backups_max);
}

enum err_code
service_backup_open(struct service *service, struct service_backup **out, struct err *err)
{
    struct service_backup *b = mem_zeroed(1, sizeof *b, err);
    enum err_code code;

    if (b == NULL)
        return ERR_NO_MEMORY;
    code = enlist(service, err);
    if (code != OK) {
        mem_free(b);
        return code;
    }
    b->service = service;
    lock_init(&b->lock);
    condition_init(&b->moved);
    code = start(b, err);
    if (code != OK) {
        service_backup_drop(b);
        return code;
    }
    *out = b;
    return OK;
}

uint64_t
service_backup_revision(const struct service_backup *b)
{
    return backup_revision(b->backup);
}

void
service_backup_on_wake(struct service_backup *b, void (*wake)(void *context), void *context)
{
    lock_acquire(&b->lock);
    b->wake = wake;
    b->wake_context = context;
    lock_release(&b->lock);
}

long
service_backup_read(struct service_backup *b, uint8_t *out, size_t size)
{
    long got = SERVICE_BACKUP_LATER;

    lock_acquire(&b->lock);
    while (size > 0 && b->begin < b->end) {
        uint64_t at = b->begin % RING_BYTES;
        size_t part = (size_t)smaller(smaller(RING_BYTES - at, b->end - b->begin), size);

        memcpy(out, b->ring + at, part);
        b->begin += part;
        out += part;
        size -= part;
        got += (long)part;
    }
    if (got > 0)
        condition_signal(&b->moved);
    else if (b->ended)
        got = b->failed ? SERVICE_BACKUP_FAILED : SERVICE_BACKUP_END;
    b->reader_waits = got == SERVICE_BACKUP_LATER;
    lock_release(&b->lock);
    return got;
}

void
service_backup_drop(struct service_backup *b)
{
    if (b == NULL)
        return;
    lock_acquire(&b->lock);
    b->dropped = true;
    condition_signal(&b->moved);
    lock_release(&b->lock);
    if (b->started)
        (void)pthread_join(b->thread, NULL);
    backup_drop(b->backup);
    mem_free(b->ring);
    condition_drop(&b->moved);
    lock_drop(&b->lock);
    atomic_fetch_sub(&b->service->backups, 1);
    mem_free(b);
}
