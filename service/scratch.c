#include "service/scratch.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service/state.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/file.h"
#include "store/base/scope.h"

enum {
    WAITING_BYTES_MAX = 64 << 10, /* small appends are written together */
    ROOM_CHECK_BYTES = 16 << 20,  /* the disk is asked for its room so often */
};

/* The file grows: each mapping is of what there was when it was asked for. */
struct mapping {
    struct mapping *next;
    void *address;
    size_t size;
};

struct scratch {
    struct store *store; /* borrowed */
    int descriptor;
    uint64_t size;    /* with what waits */
    uint64_t checked; /* bytes that the disk had room for */
    size_t waiting;
    struct mapping *mappings; /* newest first; owned */
    uint8_t *bytes;           /* what waits; owned; NULL until there is something */
};

enum err_code
scratch_open(struct service *service, struct scratch **out, struct err *err)
{
    *out = mem_zeroed(1, sizeof **out, err);
    if (*out == NULL)
        return ERR_NO_MEMORY;
    (*out)->store = service->store;
    (*out)->descriptor = -1;
    return OK;
}

/* Most requests that could need a file do not: it is made for the first byte. */
static enum err_code
make_ready(struct scratch *scratch, struct err *err)
{
    if (scratch->bytes == NULL)
        scratch->bytes = mem_alloc(WAITING_BYTES_MAX, err);
    if (scratch->bytes == NULL)
        return ERR_NO_MEMORY;
    return scratch->descriptor >= 0
               ? OK
               : store_temporary_file(scratch->store, &scratch->descriptor, err);
}

void
scratch_drop(struct scratch *scratch)
{
    if (scratch == NULL)
        return;
    while (scratch->mappings != NULL) {
        struct mapping *mapping = scratch->mappings;

        scratch->mappings = mapping->next;
        munmap(mapping->address, mapping->size);
        mem_free(mapping);
    }
    if (scratch->descriptor >= 0)
        close(scratch->descriptor);
    mem_free(scratch->bytes);
    mem_free(scratch);
}

void
scratch_scope_drop(struct scratch **scratch)
{
    scratch_drop(*scratch);
}

static enum err_code
write_out(struct scratch *scratch, const uint8_t *bytes, size_t size, struct err *err)
{
    if (file_write_all(scratch->descriptor, bytes_of(bytes, size)))
        return OK;
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
        return err_set(err, ERR_FULL, "the disk is full: %" PRIu64 " temporary bytes",
                       scratch->size);
    return err_set(err, ERR_INTERNAL, "cannot write a temporary file: %s", strerror(errno));
}

static enum err_code
flush(struct scratch *scratch, struct err *err)
{
    size_t size = scratch->waiting;

    scratch->waiting = 0;
    return write_out(scratch, scratch->bytes, size, err);
}

static enum err_code
check_room(struct scratch *scratch, size_t size, struct err *err)
{
    uint64_t end = scratch->size + size;

    if (end <= scratch->checked)
        return OK;
    TRY(store_disk_check(scratch->store, end - scratch->checked + ROOM_CHECK_BYTES, err));
    scratch->checked = end + ROOM_CHECK_BYTES;
    return OK;
}

enum err_code
scratch_append(struct scratch *scratch, const void *bytes, size_t size, struct err *err)
{
    if (size == 0)
        return OK;
    TRY(make_ready(scratch, err));
    TRY(check_room(scratch, size, err));
    if (size > WAITING_BYTES_MAX - scratch->waiting)
        TRY(flush(scratch, err));
    scratch->size += size;
    if (size >= WAITING_BYTES_MAX)
        return write_out(scratch, bytes, size, err);
    memcpy(scratch->bytes + scratch->waiting, bytes, size);
    scratch->waiting += size;
    return OK;
}

uint64_t
scratch_size(const struct scratch *scratch)
{
    return scratch->size;
}

enum err_code
scratch_descriptor(struct scratch *scratch, int *out, struct err *err)
{
    TRY(make_ready(scratch, err));
    TRY(flush(scratch, err));
    *out = scratch->descriptor;
    return OK;
}

static enum err_code
map_all(struct scratch *scratch, struct err *err)
{
    struct mapping *mapping;

    TRY(flush(scratch, err));
    mapping = mem_alloc(sizeof *mapping, err);
    if (mapping == NULL)
        return ERR_NO_MEMORY;
    mapping->size = (size_t)scratch->size;
    mapping->address = mmap(NULL, mapping->size, PROT_READ, MAP_SHARED, scratch->descriptor, 0);
    if (mapping->address == MAP_FAILED) {
        mem_free(mapping);
        return err_set(err, ERR_NO_MEMORY, "cannot map %" PRIu64 " temporary bytes: %s",
                       scratch->size, strerror(errno));
    }
    mapping->next = scratch->mappings;
    scratch->mappings = mapping;
    return OK;
}

enum err_code
scratch_map(struct scratch *scratch, uint64_t begin, uint64_t size, struct bytes *out,
            struct err *err)
{
    CHECK(begin <= scratch->size && size <= scratch->size - begin);
    *out = bytes_of("", 0);
    if (size == 0)
        return OK;
    if (scratch->mappings == NULL || scratch->mappings->size < begin + size)
        TRY(map_all(scratch, err));
    *out = bytes_of((const uint8_t *)scratch->mappings->address + begin, (size_t)size);
    return OK;
}
