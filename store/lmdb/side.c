#include "store/lmdb/side.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/base/crc32c.h"
#include "store/base/log.h"
#include "store/lmdb/wire.h"

/* A slot: u32 magic, u32 version, u64 generation, boot id, three metas, u32 CRC-32C of all before.
 */
enum {
    SIDE_VERSION = 1,
    SLOTS = 2,
    SLOT_STEP_BYTES = 4096,
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_GENERATION = 8,
    AT_BOOT = 16,
    AT_METAS = AT_BOOT + STORE_SIDE_BOOT_BYTES,
    AT_CRC = AT_METAS + STORE_SIDE_FILES * STORE_IMAGE_META_BYTES,
    SLOT_BYTES = AT_CRC + 4,
};

static const uint32_t side_magic = 0x31534b54; /* "TKS1" */
static const char *const side_name = "sync.meta";
static const char *const side_fresh_name = "sync.meta.new";

enum err_code
store_side_boot(char out[STORE_SIDE_BOOT_BYTES], struct err *err)
{
    static const char *const path = "/proc/sys/kernel/random/boot_id";
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = -1;

    memset(out, 0, STORE_SIDE_BOOT_BYTES);
    if (file >= 0) {
        size = read(file, out, STORE_SIDE_BOOT_BYTES - 1);
        close(file);
    }
    if (size <= 0)
        return err_set(err, ERR_INTERNAL,
                       "cannot read %s, without which interval durability cannot tell a restarted "
                       "machine",
                       path);
    out[strcspn(out, "\n")] = '\0';
    return OK;
}

/* --- slots --------------------------------------------------------------------------------- */

static void
encode(const struct store_side_point *point, uint8_t out[SLOT_BYTES])
{
    wire_put_u32(out + AT_MAGIC, side_magic);
    wire_put_u32(out + AT_VERSION, SIDE_VERSION);
    wire_put_u64(out + AT_GENERATION, point->generation);
    memcpy(out + AT_BOOT, point->boot, STORE_SIDE_BOOT_BYTES);
    memcpy(out + AT_METAS, point->metas, sizeof point->metas);
    wire_put_u32(out + AT_CRC, crc32c(0, out, AT_CRC));
}

static bool
decode(const uint8_t in[SLOT_BYTES], struct store_side_point *point)
{
    if (wire_get_u32(in + AT_MAGIC) != side_magic ||
        wire_get_u32(in + AT_VERSION) != SIDE_VERSION ||
        wire_get_u32(in + AT_CRC) != crc32c(0, in, AT_CRC))
        return false;
    point->generation = wire_get_u64(in + AT_GENERATION);
    memcpy(point->boot, in + AT_BOOT, STORE_SIDE_BOOT_BYTES);
    point->boot[STORE_SIDE_BOOT_BYTES - 1] = '\0';
    memcpy(point->metas, in + AT_METAS, sizeof point->metas);
    return true;
}

static enum err_code
read_slots(int file, struct store_side_point *out, struct err *err)
{
    bool any = false;

    for (int slot = 0; slot < SLOTS; slot++) {
        struct store_side_point point;
        uint8_t bytes[SLOT_BYTES];

        if (pread(file, bytes, sizeof bytes, slot * SLOT_STEP_BYTES) != (ssize_t)sizeof bytes ||
            !decode(bytes, &point))
            continue;
        if (!any || point.generation > out->generation)
            *out = point;
        any = true;
    }
    if (!any)
        return err_set(err, ERR_DATA_LOSS,
                       "%s is damaged, so nobody can tell which commits are on disk", side_name);
    return OK;
}

enum err_code
store_side_read(const struct store_folder *folder, bool *found, struct store_side_point *out,
                struct err *err)
{
    int file = openat(folder->directory, side_name, O_RDONLY | O_CLOEXEC);
    enum err_code code;

    *found = file >= 0;
    if (file < 0 && errno == ENOENT)
        return OK;
    if (file < 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot open %s: %s", side_name, strerror(errno));
    code = read_slots(file, out, err);
    close(file);
    return code;
}

static enum err_code
write_slot(int file, const struct store_side_point *point, struct err *err)
{
    uint8_t bytes[SLOT_BYTES];
    off_t offset = (off_t)(point->generation % SLOTS) * SLOT_STEP_BYTES;

    encode(point, bytes);
    if (pwrite(file, bytes, sizeof bytes, offset) != (ssize_t)sizeof bytes || fdatasync(file) != 0)
        return err_set(err, ERR_UNKNOWN, "cannot write %s: %s", side_name, strerror(errno));
    return OK;
}

/* The first slot is whole before the file has its name. */
static enum err_code
create(const struct store_folder *folder, const struct store_side_point *point, struct err *err)
{
    int file =
        openat(folder->directory, side_fresh_name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    enum err_code code;

    if (file < 0)
        return err_set(err, ERR_UNKNOWN, "cannot create %s: %s", side_name, strerror(errno));
    code = write_slot(file, point, err);
    close(file);
    TRY(code);
    if (renameat(folder->directory, side_fresh_name, folder->directory, side_name) != 0)
        return err_set(err, ERR_UNKNOWN, "cannot create %s: %s", side_name, strerror(errno));
    return store_folder_sync(folder, err);
}

enum err_code
store_side_write(const struct store_folder *folder, const struct store_side_point *point,
                 struct err *err)
{
    int file = openat(folder->directory, side_name, O_RDWR | O_CLOEXEC);
    enum err_code code;

    if (file < 0 && errno == ENOENT)
        return create(folder, point, err);
    if (file < 0)
        return err_set(err, ERR_UNKNOWN, "cannot open %s: %s", side_name, strerror(errno));
    code = write_slot(file, point, err);
    close(file);
    return code;
}

enum err_code
store_side_remove(const struct store_folder *folder, struct err *err)
{
    if (unlinkat(folder->directory, side_name, 0) != 0 && errno != ENOENT)
        return err_set(err, ERR_INTERNAL, "cannot remove %s: %s", side_name, strerror(errno));
    return store_folder_sync(folder, err);
}

/* --- recovery ------------------------------------------------------------------------------ */

static enum err_code
recover_file(int file, const char *name, const struct store_image_meta *meta, struct err *err)
{
    if (meta != NULL)
        return store_image_restore(file, name, meta, err);
    if (fsync(file) != 0)
        return err_set(err, ERR_INTERNAL, "cannot sync %s: %s", name, strerror(errno));
    return OK;
}

enum err_code
store_side_recover(const struct store_folder *folder, const char *const names[STORE_SIDE_FILES],
                   struct err *err)
{
    char boot[STORE_SIDE_BOOT_BYTES];
    struct store_side_point point;
    bool found = false, restarted;

    TRY(store_side_read(folder, &found, &point, err));
    if (!found)
        return OK;
    TRY(store_side_boot(boot, err));
    restarted = strcmp(boot, point.boot) != 0;
    if (restarted)
        log_write(LOG_WARNING,
                  "the machine was restarted while commits were not synced; the store goes back to "
                  "sync point %" PRIu64,
                  point.generation);
    for (int i = 0; i < STORE_SIDE_FILES; i++) {
        int file = openat(folder->directory, names[i], O_RDWR | O_CLOEXEC);
        enum err_code code;

        if (file < 0)
            return err_set(err, ERR_DATA_LOSS, "cannot open %s: %s", names[i], strerror(errno));
        code = recover_file(file, names[i], restarted ? &point.metas[i] : NULL, err);
        close(file);
        TRY(code);
    }
    return store_side_remove(folder, err);
}
