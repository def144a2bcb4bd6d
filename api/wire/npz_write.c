#include "api/wire/npz_write.h"

#include <stdio.h>

#include "api/file/zip_write.h"
#include "api/wire/npy.h"
#include "store/base/scope.h"

enum { HEADER_BYTES_MAX = 2048 };

/* One .npy file: its header, and the tensor's bytes where they lie. */
static enum err_code
add_array(const struct api_wire_export *what, size_t i, struct api_layout *files, struct err *err)
{
    const struct tensor_set_entry *entry = &what->set->entries[i];
    AUTO(buf) text = {0};

    buf_init(&text, HEADER_BYTES_MAX);
    TRY(buf_append_text(&text, entry->name, err));
    TRY(buf_append_text(&text, API_NPZ_SUFFIX, err));
    TRY(buf_append_byte(&text, '\0', err));
    TRY(api_layout_file(files, (const char *)text.data, err));
    text.size = 0;
    TRY(api_npy_header_encode(&entry->type, what->npy_v2, &text, err));
    TRY(api_layout_copy(files, buf_bytes(&text), err));
    return api_layout_entry(files, what->set, i, err);
}

enum err_code
api_npz_write(const struct api_wire_export *what, struct api_layout *out, struct err *err)
{
    const struct api_zip_options how = {
        .deflate = what->compression == API_WIRE_DEFLATED,
        .modified_ms = what->modified_ms,
        .scratch = what->scratch,
    };
    struct api_layout files;
    char name[NAME_BYTES_MAX + 8];

    api_layout_init(&files, out->arena);
    for (size_t i = 0; i < what->set->entry_count; i++)
        TRY(add_array(what, what->order[i], &files, err));
    snprintf(name, sizeof name, "%s.npz", what->name);
    return api_zip_write(&files, &how, name, out, err);
}

const char *
api_npz_unfit(struct bytes name, const struct tensor_type *type)
{
    (void)name;
    if (dtype_info(type->dtype)->npy_descr != NULL)
        return NULL;
    if (type->dtype == DTYPE_BFLOAT16)
        return "NumPy has no such dtype (npy_v2=bfloat16 writes it as '|V2')";
    return "NumPy has no such dtype";
}
