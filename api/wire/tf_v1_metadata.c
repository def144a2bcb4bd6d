/* What the metadata record of a V1 file tells of. */
#include <inttypes.h>

#include "api/file/proto.h"
#include "api/json/text.h"
#include "api/wire/tf_v1.h"
#include "api/wire/tf_v1_values.h"
#include "store/base/scope.h"

enum { KEY_BYTES_MAX = 64 << 10 };

void
api_tf_v1_about(struct bytes name, struct err *err)
{
    char shown[API_SHOWN_BYTES_MAX + 1];

    if (err == NULL)
        return;
    err_prefix(err, "tensor '%s'", api_text_shown(name, shown));
    err_about(err, "tensor", shown);
}

/* --- slices -------------------------------------------------------------------------------- */

static enum err_code
keep(struct api_tf_v1_catalog *io, const struct buf *key, struct bytes *out, struct err *err)
{
    char *copy = arena_text(io->arena, buf_bytes(key), err);

    *out = bytes_of(copy, key->size);
    return copy != NULL ? OK : ERR_NO_MEMORY;
}

/* As api_slice_key makes it, in two parts: a long name stands in the keys of all of its slices, and
 * is kept once. */
static enum err_code
take_key(struct api_tf_v1_catalog *io, const struct api_tf_v1_piece *piece,
         struct api_tf_v1_slice *slice, uint32_t rank, struct err *err)
{
    AUTO(buf) key = {0};

    buf_init(&key, KEY_BYTES_MAX);
    if (piece->slice_count == 0) {
        TRY(api_ordered_unsigned(&key, 0, err));
        TRY(api_ordered_text(&key, piece->name, err));
        TRY(keep(io, &key, &slice->name_key, err));
        key.size = 0;
    } else {
        slice->name_key = io->slices[piece->slice_first].name_key;
    }
    TRY(api_ordered_unsigned(&key, rank, err));
    for (uint32_t i = 0; i < rank; i++) {
        TRY(api_ordered_signed(&key, slice->extents[i].start, err));
        TRY(api_ordered_signed(&key, slice->extents[i].length, err));
    }
    return keep(io, &key, &slice->part_key, err);
}

/* *covered: elements of the slices so far. More than there are is refused before they are kept. */
static enum err_code
take_slice(struct api_tf_v1_catalog *io, struct api_tf_v1_piece *piece, struct bytes message,
           uint64_t *covered, struct err *err)
{
    struct api_tf_slice slice = {.rank = 0};
    uint64_t first[SHAPE_RANK_MAX];
    struct shape part;
    struct api_tf_v1_slice *slices = arena_grown(io->arena, io->slices, io->slice_count,
                                                 &io->slice_capacity, sizeof *slices, err);

    if (slices == NULL)
        return ERR_NO_MEMORY;
    io->slices = slices;
    TRY(api_tf_slice_read(message, &slice, err));
    TRY(api_tf_slice_check(&slice, &piece->type.shape, first, &part, err));
    *covered += shape_count(&part);
    if (*covered > shape_count(&piece->type.shape))
        return err_set(err, ERR_INVALID_ARGUMENT, "its slices overlap");
    if (piece->slice_count == API_TF_V1_SLICES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "it has more than %d slices",
                       API_TF_V1_SLICES_MAX);
    slices += io->slice_count;
    *slices = (struct api_tf_v1_slice){.count = shape_count(&part)};
    slices->extents = arena_array(io->arena, slice.rank, sizeof *slices->extents, err);
    if (slices->extents == NULL)
        return ERR_NO_MEMORY;
    memcpy(slices->extents, slice.extents, slice.rank * sizeof *slices->extents);
    TRY(take_key(io, piece, slices, slice.rank, err));
    io->slice_count++;
    piece->slice_count++;
    return OK;
}

/* --- a tensor ------------------------------------------------------------------------------ */

/* What its message says, but for the slices, which are checked against all of it. */
struct saved {
    struct bytes name;
    struct api_tf_shape shape;
    uint64_t type;
};

static enum err_code
read_saved(struct bytes message, struct saved *out, struct err *err)
{
    struct api_proto_field field;

    *out = (struct saved){.name = bytes_of("", 0)};
    do {
        TRY(api_proto_next(&message, &field, err));
        if (field.tag == API_PROTO_TAG(API_TF_V1_TENSOR_NAME, API_PROTO_BYTES))
            out->name = field.bytes;
        else if (field.tag == API_PROTO_TAG(API_TF_V1_TENSOR_SHAPE, API_PROTO_BYTES))
            TRY(api_tf_shape_read(field.bytes, &out->shape, err));
        else if (field.tag == API_PROTO_TAG(API_TF_V1_TENSOR_TYPE, API_PROTO_VARINT))
            out->type = field.value;
    } while (field.tag != 0);
    return OK;
}

static enum err_code
refuse(struct api_tf_v1_catalog *io, struct api_tf_v1_piece *piece, const char *reason,
       struct err *err)
{
    piece->refused = arena_text(io->arena, bytes_of_text(reason), err);
    return piece->refused != NULL ? OK : ERR_NO_MEMORY;
}

static enum err_code
take_type(struct api_tf_v1_catalog *io, const struct saved *saved, struct api_tf_v1_piece *piece,
          struct err *err)
{
    struct err why = ERR_INIT;

    TRY(api_tf_judge(piece->name, saved->type, &saved->shape, &piece->type.dtype, &why, err));
    piece->type.shape = saved->shape.shape;
    if (why.code == OK && api_tf_v1_form_of(piece->type.dtype) == NULL)
        (void)err_set(&why, ERR_UNIMPLEMENTED, "a V1 file has no values of dtype %s",
                      api_tf_dtype_name(saved->type));
    return why.code == OK ? OK : refuse(io, piece, why.text, err);
}

static enum err_code
take_slices(struct api_tf_v1_catalog *io, struct bytes message, struct api_tf_v1_piece *piece,
            struct err *err)
{
    struct api_proto_field field;
    uint64_t covered = 0;

    do {
        TRY(api_proto_next(&message, &field, err));
        if (field.tag == API_PROTO_TAG(API_TF_V1_TENSOR_SLICE, API_PROTO_BYTES))
            TRY(take_slice(io, piece, field.bytes, &covered, err));
    } while (field.tag != 0);
    return OK;
}

static enum err_code
take_piece(struct api_tf_v1_catalog *io, const struct saved *saved, struct bytes message,
           struct api_tf_v1_piece *piece, struct err *err)
{
    const char *name = arena_text(io->arena, saved->name, err);

    if (name == NULL)
        return ERR_NO_MEMORY;
    piece->name = bytes_of(name, saved->name.size);
    TRY(take_type(io, saved, piece, err));
    return piece->refused != NULL ? OK : take_slices(io, message, piece, err);
}

static enum err_code
take_tensor(struct api_tf_v1_catalog *io, struct bytes message, uint32_t file, struct err *err)
{
    struct api_tf_v1_piece *pieces = arena_grown(io->arena, io->pieces, io->piece_count,
                                                 &io->piece_capacity, sizeof *pieces, err);
    struct saved saved;
    enum err_code code;

    if (pieces == NULL)
        return ERR_NO_MEMORY;
    io->pieces = pieces;
    pieces += io->piece_count;
    *pieces = (struct api_tf_v1_piece){
        .file = file, .slice_first = io->slice_count, .type.dtype = DTYPE_UNSET};
    TRY(read_saved(message, &saved, err));
    code = take_piece(io, &saved, message, pieces, err);
    if (code != OK) {
        api_tf_v1_about(saved.name, err);
        return code;
    }
    io->piece_count++;
    return OK;
}

/* --- the record ---------------------------------------------------------------------------- */

struct meta {
    struct api_tf_version version;
    bool has_version;
    size_t tensors;
};

static enum err_code
read_meta(struct bytes message, uint32_t file, size_t tensors_max, struct meta *meta,
          struct api_tf_v1_catalog *io, struct err *err)
{
    struct api_proto_field field;

    do {
        TRY(api_proto_next(&message, &field, err));
        if (field.tag == API_PROTO_TAG(API_TF_V1_META_VERSIONS, API_PROTO_BYTES)) {
            meta->has_version = true;
            TRY(api_tf_version_read(field.bytes, &meta->version, err));
        } else if (field.tag == API_PROTO_TAG(API_TF_V1_META_TENSOR, API_PROTO_BYTES)) {
            if (++meta->tensors > tensors_max)
                return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                               "over %zu tensors (variables_per_request_max)", tensors_max);
            TRY(take_tensor(io, field.bytes, file, err));
        }
    } while (field.tag != 0);
    return OK;
}

enum err_code
api_tf_v1_metadata_read(struct bytes record, uint32_t file, size_t tensors_max,
                        struct api_tf_v1_catalog *io, struct err *err)
{
    struct api_proto_field field;
    struct meta meta = {.tensors = 0};
    bool found = false;

    do {
        TRY(api_proto_next(&record, &field, err));
        if (field.tag != API_PROTO_TAG(API_TF_V1_SAVED_META, API_PROTO_BYTES))
            continue;
        found = true;
        TRY(read_meta(field.bytes, file, tensors_max, &meta, io, err));
    } while (field.tag != 0);
    if (!found)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "its first record is not the metadata of a V1 checkpoint (the index of a V2 "
                       "one comes with its data files, in a tar or zip)");
    io->without_versions |= !meta.has_version;
    return api_tf_version_check(&meta.version, err);
}
