/* Tensors in memory. Elements are stored as the wire and the disk have them: row-major,
 * little-endian, which is also the order of every machine this is built for; so a tensor's bytes
 * are its elements. */
#include "service/tensor/tensor.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/base/alloc.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements are used in place");

enum { STRING_LENGTH_BYTES = 4 };

const char *
tensor_type_text(const struct tensor_type *type, char out[static TENSOR_TYPE_TEXT_BYTES_MAX])
{
    char shape[SHAPE_TEXT_BYTES_MAX];

    snprintf(out, TENSOR_TYPE_TEXT_BYTES_MAX, "%s%s", dtype_name(type->dtype),
             shape_text(&type->shape, shape));
    return out;
}

uint64_t
tensor_type_bytes(const struct tensor_type *type)
{
    return shape_count(&type->shape) * dtype_size(type->dtype);
}

bool
tensor_type_equal(const struct tensor_type *a, const struct tensor_type *b)
{
    return a->dtype == b->dtype && shape_equal(&a->shape, &b->shape);
}

enum err_code
tensor_init(struct tensor *out, const struct tensor_type *type, uint64_t size_bytes,
            struct err *err)
{
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];
    uint8_t *data = NULL;

    TRY(shape_check(&type->shape, err));
    if (type->dtype != DTYPE_STRING && size_bytes != tensor_type_bytes(type))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s takes %" PRIu64 " bytes, the value has %" PRIu64,
                       tensor_type_text(type, text), tensor_type_bytes(type), size_bytes);
    if (size_bytes > SIZE_MAX)
        return err_set(err, ERR_NO_MEMORY, "no memory for %" PRIu64 " bytes", size_bytes);
    data = mem_aligned((size_t)size_bytes, err);
    if (data == NULL)
        return ERR_NO_MEMORY;
    *out = (struct tensor){.type = *type, .data = data, .size = size_bytes};
    return OK;
}

void
tensor_drop(struct tensor *tensor)
{
    mem_free(tensor->data);
    *tensor = (struct tensor){0};
}

struct tensor_view
tensor_view_of(const struct tensor *tensor)
{
    return (struct tensor_view){.type = tensor->type, .data = tensor->data, .size = tensor->size};
}

enum err_code
tensor_bools_check(const char *name, struct bytes bytes, uint64_t offset, struct err *err)
{
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.data[i] > 1)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "'%s': element %" PRIu64 " of a bool tensor is byte %u, not 0 or 1",
                           name, offset + i, (unsigned)bytes.data[i]);
    }
    return OK;
}

enum err_code
tensor_strings_check(struct bytes bytes, uint64_t count, struct err *err)
{
    struct reader reader = reader_of(bytes);

    if (count > bytes.size / STRING_LENGTH_BYTES)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%" PRIu64 " strings are expected, the value has %zu bytes", count,
                       bytes.size);
    for (uint64_t i = 0; i < count; i++) {
        reader_bytes(&reader);
        if (reader.failed)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "string %" PRIu64 " of %" PRIu64 " runs past the value's %zu bytes", i,
                           count, bytes.size);
    }
    if (!reader_ended_well(&reader))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%zu bytes are left over after %" PRIu64 " strings", reader.left.size,
                       count);
    return OK;
}
