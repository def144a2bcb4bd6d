/* Covers api/file/sstable*.c: any table. Its keys ascend, its values lie in the file or the
 * scratch, and what is in it is written and read again as the same. */
#include "api/file/sstable_read.h"

#include "api/file/sstable_write.h"
#include "store/base/scope.h"
#include "tests/fuzz/reading.h"
#include "tests/fuzz/table.h"

enum { TABLE_BYTES = 16 << 20, UNPACKED_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, size_max);
    if (seed % 16 != 0)
        table_repair(data, size);
    return size;
}

struct entries {
    const struct api_sstable *table;
    struct buf key, values;            /* key: of the last entry; all values one after another */
    struct api_sstable_writer *writer; /* NULL: only looks */
    uint32_t keys_crc;
    size_t count;
};

static enum err_code
visit(void *context, const struct api_sstable_entry *entry, struct err *err)
{
    struct entries *entries = context;
    uint8_t *room = NULL;

    CHECK(entries->count == 0 || bytes_compare(buf_bytes(&entries->key), entry->key) < 0);
    CHECK(entry->value.descriptor != entries->table->file.descriptor ||
          entry->value.begin + entry->value.size <= entries->table->file.size);
    entries->key.size = 0;
    TRY(buf_append(&entries->key, entry->key.data, entry->key.size, err));
    TRY(buf_reserve(&entries->values, (size_t)entry->value.size, &room, err));
    TRY(api_file_read(&entry->value, 0, room, (size_t)entry->value.size, err));
    CHECK(entry->bytes.data == NULL ||
          bytes_equal(entry->bytes, bytes_of(room, (size_t)entry->value.size)));
    if (entries->writer != NULL)
        TRY(api_sstable_add(entries->writer, entry->key, bytes_of(room, (size_t)entry->value.size),
                            err));
    buf_commit(&entries->values, (size_t)entry->value.size);
    entries->keys_crc = crc32c(entries->keys_crc, entry->key.data, entry->key.size);
    entries->count++;
    return OK;
}

static enum err_code
read_table(const struct api_sstable *table, struct api_sstable_writer *writer, struct entries *out,
           struct err *err)
{
    *out = (struct entries){.table = table, .writer = writer};
    buf_init(&out->key, API_SSTABLE_KEY_BYTES_MAX);
    buf_init(&out->values, TABLE_BYTES);
    return api_sstable_read(table, visit, out, err);
}

static void
entries_drop(struct entries *entries)
{
    buf_drop(&entries->key);
    buf_drop(&entries->values);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(api_sstable_writer) writer = {.offset = 0};
    AUTO(entries) first = {.count = 0};
    AUTO(entries) second = {.count = 0};
    AUTO(reading) r = {.scratch = NULL};
    AUTO(buf) written = {0};
    struct api_sstable table = {.block_bytes_max = UNPACKED_BYTES,
                                .unpacked_bytes_max = UNPACKED_BYTES};
    struct err err = ERR_INIT;

    reading_init(&r);
    table.scratch = r.scratch;
    table.file = reading_file(&r, data, size);
    buf_init(&written, TABLE_BYTES);
    api_sstable_writer_init(&writer, api_sstable_to_buf(&written));
    if (read_table(&table, &writer, &first, &err) != OK) {
        CHECK(err.code != OK && err.text[0] != '\0');
        return 0;
    }
    CHECK(api_sstable_looks_like(&table.file));
    CHECK(api_sstable_finish(&writer, NULL) == OK);
    table.file = reading_file(&r, written.data, written.size);
    CHECK(read_table(&table, NULL, &second, NULL) == OK);
    CHECK(first.count == second.count && first.keys_crc == second.keys_crc);
    CHECK(bytes_equal(buf_bytes(&first.values), buf_bytes(&second.values)));
    return 0;
}
