/* What the tests of backups share: a store with values of every kind, and its stream in memory. */
#ifndef TESTS_UNIT_STORE_BACKUP_FIXTURE_H
#define TESTS_UNIT_STORE_BACKUP_FIXTURE_H

#include <dirent.h>
#include <sys/stat.h>

#include "tests/support/backup_frames.h"
#include "tests/unit/store/value_fixture.h"

enum {
    STREAM_BYTES_MAX = 8 << 20,
    BULK_BYTES = 262080 + 20000, /* one bulk chunk, two rows chunks */
    RECORD_BYTES = 9000,
};

/* A value of chunks, a fork of it, one record, a fill, and one inline. */
static inline void
fill_store(struct fixture *f)
{
    uint8_t *bytes = make_bytes(BULK_BYTES, 1);
    const float one = 1;

    build(f, 'a', bytes_of(bytes, BULK_BYTES), STORE_CLASS_BULK, 50000);
    copy_owner(f, 'a', 'b');
    patch_owner(f, 'b', 265000, "changed", 7);
    build(f, 'c', bytes_of(bytes, RECORD_BYTES), STORE_CLASS_BULK, RECORD_BYTES);
    build_fill(f, 'd', 4000000, &one, sizeof one);
    build(f, 'e', bytes_of(bytes, 12), STORE_CLASS_BULK, 12);
    free(bytes);
}

static inline void
filled_store_must_be_there(struct fixture *f)
{
    uint8_t *bytes = make_bytes(BULK_BYTES, 1);

    owner_must_hold(f, 'a', bytes_of(bytes, BULK_BYTES));
    owner_must_hold(f, 'c', bytes_of(bytes, RECORD_BYTES));
    owner_must_hold(f, 'e', bytes_of(bytes, 12));
    memcpy(bytes + 265000, "changed", 7);
    owner_must_hold(f, 'b', bytes_of(bytes, BULK_BYTES));
    free(bytes);
}

/* --- streams ---------------------------------------------------------------------------------- */

static inline void
give_rest(struct fixture *f, struct backup *backup, struct buf *out)
{
    struct bytes piece;

    do {
        WORKS(backup_next(backup, &piece, &f->err), &f->err);
        WORKS(buf_append(out, piece.data, piece.size, &f->err), &f->err);
    } while (piece.size > 0);
}

/* Owns: buf_drop. */
static inline struct buf
stream_of(struct fixture *f)
{
    struct backup *backup = NULL;
    struct buf stream;

    buf_init(&stream, STREAM_BYTES_MAX);
    WORKS(backup_open(f->store, &backup, &f->err), &f->err);
    give_rest(f, backup, &stream);
    backup_drop(backup);
    return stream;
}

/* Gives at most `step` bytes a call. */
struct memory_source {
    struct bytes left;
    size_t step;
};

static inline enum err_code
memory_read(void *context, uint8_t *out, size_t size, size_t *got, struct err *err)
{
    struct memory_source *source = context;

    (void)err;
    *got = source->left.size < size ? source->left.size : size;
    if (*got > source->step)
        *got = source->step;
    if (*got == 0)
        return OK;
    memcpy(out, source->left.data, *got);
    source->left.data += *got;
    source->left.size -= *got;
    return OK;
}

/* Puts a stream back into a folder of its own and opens it; f then has that store. */
static inline enum err_code
restore_at(struct fixture *f, const char *folder, struct bytes stream, bool fork)
{
    struct memory_source source = {stream, 70000};
    struct store_config config = f->config;
    struct store_load *load = NULL;
    struct backup_counts counts;
    enum err_code code;

    config.directory = folder;
    TRY(store_load_open(&config, &load, &f->err));
    code = backup_load(memory_read, &source, load, fork, &counts, &f->err);
    if (code == OK)
        code = store_load_install(load, &f->err);
    store_load_drop(load);
    return code;
}

static inline unsigned
count_entries(const char *folder)
{
    DIR *listing = opendir(folder);
    const struct dirent *entry;
    unsigned count = 0;

    assert_non_null(listing);
    while ((entry = readdir(listing)) != NULL)
        count += entry->d_name[0] != '.' && strcmp(entry->d_name, "lock") != 0;
    closedir(listing);
    return count;
}

#endif
