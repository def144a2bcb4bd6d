#include "store/lmdb/image.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lmdb/wire.h"

enum {
    PAGE_HEAD_BYTES = 16,
    META_PAGES = 2,
    PAGE_BYTES_MIN = 512,
    PAGE_BYTES_MAX = 65536,
    IMAGE_VERSION = 1,
    /* inside a meta */
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_PAGE_BYTES = 24,
    AT_LAST_PAGE = 120,
    AT_TRANSACTION = 128,
};

static const uint32_t image_magic = 0xbeefc0de;

uint64_t
store_image_transaction(const struct store_image_meta *meta)
{
    return wire_get_u64(meta->bytes + AT_TRANSACTION);
}

static enum err_code
unreadable(const char *name, const char *how, struct err *err)
{
    return err_set(err, ERR_DATA_LOSS, "the data file %s is damaged: %s", name, how);
}

static enum err_code
read_meta(int file, const char *name, uint64_t page_bytes, unsigned page,
          struct store_image_meta *out, struct err *err)
{
    off_t offset = (off_t)(page * page_bytes + PAGE_HEAD_BYTES);
    ssize_t size = pread(file, out->bytes, sizeof out->bytes, offset);
    uint32_t its_page_bytes;

    if (size != (ssize_t)sizeof out->bytes)
        return unreadable(name, "it ends within its first pages", err);
    if (wire_get_u32(out->bytes + AT_MAGIC) != image_magic ||
        wire_get_u32(out->bytes + AT_VERSION) != IMAGE_VERSION)
        return unreadable(name, "its first pages are not those of a data file", err);
    its_page_bytes = wire_get_u32(out->bytes + AT_PAGE_BYTES);
    if (its_page_bytes < PAGE_BYTES_MIN || its_page_bytes > PAGE_BYTES_MAX ||
        (page_bytes != 0 && page_bytes != its_page_bytes))
        return unreadable(name, "its page size is impossible", err);
    return OK;
}

enum err_code
store_image_read(int file, const char *name, struct store_image *out, struct err *err)
{
    struct store_image_meta second;
    struct stat status;

    *out = (struct store_image){0};
    if (fstat(file, &status) != 0)
        return err_set(err, ERR_INTERNAL, "cannot examine %s: %s", name, strerror(errno));
    out->size_bytes = (uint64_t)status.st_size;
    TRY(read_meta(file, name, 0, 0, &out->meta, err));
    out->page_bytes = wire_get_u32(out->meta.bytes + AT_PAGE_BYTES);
    TRY(read_meta(file, name, out->page_bytes, 1, &second, err));
    if (store_image_transaction(&second) > store_image_transaction(&out->meta))
        out->meta = second;
    out->last_page = wire_get_u64(out->meta.bytes + AT_LAST_PAGE);
    out->transaction = store_image_transaction(&out->meta);
    if (out->last_page > UINT64_MAX / PAGE_BYTES_MAX - 1)
        return unreadable(name, "its size is impossible", err);
    return OK;
}

enum err_code
store_image_restore(int file, const char *name, const struct store_image_meta *meta,
                    struct err *err)
{
    uint64_t transaction = store_image_transaction(meta);
    uint64_t page_bytes = wire_get_u32(meta->bytes + AT_PAGE_BYTES);

    for (unsigned page = 0; page < META_PAGES; page++) {
        struct store_image_meta copy = *meta;
        off_t offset = (off_t)(page * page_bytes + PAGE_HEAD_BYTES);

        if (page != (transaction & 1) && transaction > 0)
            wire_put_u64(copy.bytes + AT_TRANSACTION, transaction - 1);
        if (pwrite(file, copy.bytes, sizeof copy.bytes, offset) != (ssize_t)sizeof copy.bytes)
            return err_set(err, ERR_INTERNAL, "cannot write to %s: %s", name, strerror(errno));
    }
    if (fsync(file) != 0)
        return err_set(err, ERR_INTERNAL, "cannot sync %s: %s", name, strerror(errno));
    return OK;
}
