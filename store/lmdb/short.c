#include "store/lmdb/short.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "store/base/log.h"
#include "store/lmdb/image.h"
#include "store/lmdb/mdberr.h"
#include "store/lmdb/wire.h"

enum err_code
store_short_examine(const char *path, struct store_short *out, struct err *err)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct store_image image;
    enum err_code code;

    if (file < 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot open %s: %s", path, strerror(errno));
    code = store_image_read(file, path, &image, err);
    close(file);
    TRY(code);
    *out = (struct store_short){.size_bytes = image.size_bytes,
                                .page_first = image.size_bytes / image.page_bytes,
                                .page_end = image.last_page + 1,
                                .page_bytes = image.page_bytes};
    if (out->page_first > out->page_end)
        out->page_first = out->page_end;
    return OK;
}

enum err_code
store_short_extend(const char *path, const struct store_short *s, struct err *err)
{
    if (truncate(path, (off_t)(s->page_end * s->page_bytes)) != 0)
        return err_set(err, ERR_INTERNAL, "cannot lengthen %s: %s", path, strerror(errno));
    return OK;
}

void
store_short_undo(const char *path, const struct store_short *s)
{
    struct err err = ERR_INIT;

    if (truncate(path, (off_t)s->size_bytes) == 0)
        return;
    (void)err_set(&err, ERR_INTERNAL, "cannot shorten %s again: %s", path, strerror(errno));
    log_failure("refusing a truncated data file", &err);
}

/* A free list record: a count, then that many page numbers. */
static uint64_t
count_missing(const MDB_val *record, const struct store_short *s)
{
    const uint8_t *at = record->mv_data;
    uint64_t words = record->mv_size / sizeof(uint64_t), found = 0;
    uint64_t count = words == 0 ? 0 : wire_get_u64(at);

    for (uint64_t i = 1; i <= count && i < words; i++) {
        uint64_t page = wire_get_u64(at + i * sizeof(uint64_t));

        found += page >= s->page_first && page < s->page_end;
    }
    return found;
}

static int
count_free(MDB_env *env, const struct store_short *s, uint64_t *count)
{
    static const MDB_dbi free_list = 0;
    MDB_cursor *cursor = NULL;
    MDB_txn *txn = NULL;
    MDB_val key, value;
    int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);

    *count = 0;
    if (rc != 0)
        return rc;
    rc = mdb_cursor_open(txn, free_list, &cursor);
    while (rc == 0) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        if (rc == 0)
            *count += count_missing(&value, s);
    }
    if (cursor != NULL)
        mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

enum err_code
store_short_check(MDB_env *env, const char *path, const struct store_short *s, struct err *err)
{
    uint64_t found = 0;

    if (s->page_first == s->page_end)
        return OK;
    if (count_free(env, s, &found) == 0 && found == s->page_end - s->page_first)
        return OK;
    return err_set(err, ERR_DATA_LOSS,
                   "the data file %s is truncated: it has %" PRIu64 " bytes, %" PRIu64
                   " are in use",
                   path, s->size_bytes, s->page_end * s->page_bytes);
}
