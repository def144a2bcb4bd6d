/* Texts as they lie in a record: u32 length and bytes, one or one after the other. */
#include <stdio.h>

#include "service/record/record_parts.h"

enum err_code
record_texts_add(struct record_texts *texts, const char *what, struct bytes text, struct err *err)
{
    uint32_t size = (uint32_t)text.size;

    if (text.size + 4 > sizeof texts->bytes - texts->size)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s take more than %zu bytes", what,
                       sizeof texts->bytes);
    for (int i = 0; i < 4; i++)
        texts->bytes[texts->size + (uint32_t)i] = (uint8_t)(size >> (8 * i));
    if (size > 0)
        memcpy(texts->bytes + texts->size + 4, text.data, size);
    texts->size += 4 + size;
    return OK;
}

bool
record_texts_next(const struct record_texts *texts, uint32_t *offset, struct bytes *text)
{
    struct reader in = reader_of(bytes_of(texts->bytes + *offset, texts->size - *offset));

    if (*offset >= texts->size)
        return false;
    *text = reader_bytes(&in);
    *offset = texts->size - (uint32_t)in.left.size;
    return !in.failed;
}

bool
record_texts_hold(const struct record_texts *texts, struct bytes text)
{
    struct bytes each;
    uint32_t offset = 0;

    while (record_texts_next(texts, &offset, &each)) {
        if (bytes_equal(each, text))
            return true;
    }
    return false;
}

void
record_name_decode(struct reader *in, size_t room, char *out)
{
    struct bytes name = reader_bytes(in);

    if (name.size >= room)
        in->failed = true;
    else
        snprintf(out, room, "%.*s", (int)name.size, (const char *)name.data);
}

enum err_code
record_labels_set(struct record_texts *out, const struct record_label *labels, size_t count,
                  struct err *err)
{
    out->size = 0;
    if (count > RECORD_LABELS_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "%zu labels, at most %d are kept", count,
                       RECORD_LABELS_MAX);
    for (size_t i = 0; i < count; i++) {
        TRY(record_texts_add(out, "labels", bytes_of_text(labels[i].name), err));
        TRY(record_texts_add(out, "labels", bytes_of_text(labels[i].value), err));
    }
    return OK;
}
