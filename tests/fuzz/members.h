/* What came out of an archive: files that lie where they may, read by the format that claims them.
 */
#ifndef TESTS_FUZZ_MEMBERS_H
#define TESTS_FUZZ_MEMBERS_H

#include "api/file/unpack.h"
#include "tests/fuzz/reading.h"

static const struct api_unpack_limits members_limits = {.bytes_max = READING_UNPACKED_BYTES,
                                                        .files_max = 1000};

/* `archive`: where members may lie beside the scratch. */
static inline void
members_check(const struct reading *r, const struct api_file *archive)
{
    uint64_t total = 0;

    CHECK(r->set.count <= members_limits.files_max);
    for (size_t i = 0; i < r->set.count; i++) {
        const struct api_file_entry *entry = &r->set.entries[i];
        bool inside = archive != NULL && entry->file.descriptor == archive->descriptor;
        uint64_t room = inside ? archive->size : scratch_size(r->scratch);

        CHECK(entry->file.begin <= room && entry->file.size <= room - entry->file.begin);
        CHECK(i == 0 || bytes_compare(r->set.entries[i - 1].name, entry->name) < 0);
        CHECK(api_file_set_find(&r->set, entry->name) == &entry->file);
        total += entry->file.size;
    }
    CHECK(total <= members_limits.bytes_max);
}

static inline void
members_read(struct reading *r)
{
    for (size_t i = 0; api_wire_format_at(i) != NULL; i++) {
        const struct api_wire_format *format = api_wire_format_at(i);

        if (format->streams || !format->claims(&r->input))
            continue;
        reading_through(r, format);
        return;
    }
}

#endif
