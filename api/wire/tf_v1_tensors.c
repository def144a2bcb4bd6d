/* The tensors of a V1 checkpoint: what its files tell of, put together by name. */
#include <inttypes.h>
#include <stdlib.h>

#include "api/wire/tf_slices.h"
#include "api/wire/tf_v1.h"
#include "api/wire/tf_v1_values.h"

enum { MEASURE_WINDOW_BYTES = 4096 };

struct place {
    const struct api_tf_v1_piece *piece;
    const struct api_tf_v1_piece *first; /* of the same name */
};

static int
by_name(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = bytes_compare(x->piece->name, y->piece->name);

    return order != 0 ? order : (x->piece > y->piece) - (x->piece < y->piece);
}

static int
by_first(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return (x->piece > y->piece) - (x->piece < y->piece);
}

/* Of tensors that several files tell of, the first place does not say in which order the others
 * have them. Savers have them by name in each. */
static bool
told_by_name(const struct api_tf_v1_catalog *found, bool apart)
{
    for (size_t i = 1; i < found->piece_count && apart; i++)
        if (found->pieces[i].file == found->pieces[i - 1].file)
            apart = bytes_compare(found->pieces[i - 1].name, found->pieces[i].name) <= 0;
    return apart;
}

/* Pieces of one tensor side by side, tensors in the order in which they were told of: by name, or
 * as they came first. */
static enum err_code
group(const struct api_tf_v1_catalog *found, struct place **out, struct err *err)
{
    struct place *places = arena_array(found->arena, found->piece_count, sizeof *places, err);
    bool apart = false;

    if (places == NULL)
        return ERR_NO_MEMORY;
    *out = places;
    for (size_t i = 0; i < found->piece_count; i++)
        places[i].piece = &found->pieces[i];
    qsort(places, found->piece_count, sizeof *places, by_name);
    for (size_t i = 0; i < found->piece_count; i++) {
        places[i].first = places[i].piece;
        if (i > 0 && bytes_equal(places[i - 1].piece->name, places[i].piece->name))
            places[i].first = places[i - 1].first;
        apart |= places[i].first->file != places[i].piece->file;
    }
    if (!told_by_name(found, apart))
        qsort(places, found->piece_count, sizeof *places, by_first);
    return OK;
}

static enum err_code
add_slices(const struct api_tf_v1_catalog *found, const struct place *places, size_t count,
           struct api_tf_v1_tensor *tensor, struct err *err)
{
    size_t slices = 0;

    for (size_t i = 0; i < count; i++)
        slices += places[i].piece->slice_count;
    if (slices > API_TF_V1_SLICES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "it has more than %d slices",
                       API_TF_V1_SLICES_MAX);
    tensor->slices = arena_array(found->arena, slices, sizeof *tensor->slices, err);
    tensor->files = arena_array(found->arena, slices, sizeof *tensor->files, err);
    if (tensor->slices == NULL || tensor->files == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < places[i].piece->slice_count; j++) {
            tensor->files[tensor->slice_count] = places[i].piece->file;
            tensor->slices[tensor->slice_count++] =
                &found->slices[places[i].piece->slice_first + j];
        }
    return OK;
}

/* Slices that say their lengths in numbers are those of a saver of a partitioned variable, of one
 * part too. */
static enum err_code
find_partition(const struct api_tf_v1_catalog *found, struct api_tf_v1_tensor *tensor,
               struct err *err)
{
    const struct shape *whole = &tensor->type.shape;
    struct api_tf_slice_found *slices =
        arena_array(found->arena, tensor->slice_count, sizeof *slices, err);
    uint64_t *places =
        arena_array(found->arena, 2 * tensor->slice_count * whole->rank, sizeof *places, err);

    if (slices == NULL || places == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < tensor->slice_count; i++) {
        struct api_tf_slice slice = {.rank = whole->rank};
        uint64_t first[SHAPE_RANK_MAX], *at = places + 2 * i * whole->rank;
        struct shape shape;

        memcpy(slice.extents, tensor->slices[i]->extents, whole->rank * sizeof *slice.extents);
        TRY(api_tf_slice_check(&slice, whole, first, &shape, err));
        memcpy(at, first, whole->rank * sizeof *at);
        memcpy(at + whole->rank, shape.dims, whole->rank * sizeof *at);
        slices[i] = (struct api_tf_slice_found){at, at + whole->rank, tensor->files[i]};
    }
    return api_tf_slices_partition(slices, tensor->slice_count, whole, found->arena,
                                   &tensor->partition, &tensor->part_shards, err);
}

/* What there is to know of a slice's values before they are read. */
static enum err_code
look_at_values(struct api_tf_v1_tensor *tensor, const struct api_tf_v1_slice *slice,
               struct err *err)
{
    uint8_t window[MEASURE_WINDOW_BYTES];
    struct api_tf_v1_values values;
    uint64_t size = 0;

    api_tf_v1_values_init(&values, tensor->type.dtype, slice->count, &slice->data, window,
                          sizeof window);
    if (tensor->type.dtype == DTYPE_STRING)
        TRY(api_tf_v1_values_measure(&values, &size, err));
    else if (slice->count == 0)
        TRY(api_tf_v1_values_end(&values, err));
    tensor->size += size;
    return OK;
}

static enum err_code
make_tensor(const struct api_tf_v1_catalog *found, const struct place *places, size_t count,
            struct api_tf_v1_tensor *tensor, struct err *err)
{
    const struct api_tf_v1_piece *first = places[0].piece;
    char a[TENSOR_TYPE_TEXT_BYTES_MAX], b[TENSOR_TYPE_TEXT_BYTES_MAX];
    uint64_t covered = 0;

    *tensor = (struct api_tf_v1_tensor){
        .name = first->name, .type = first->type, .refused = first->refused, .file = first->file};
    /* A type that is not kept has no name to be told beside another. */
    for (size_t i = 0; i < count && tensor->refused == NULL; i++)
        tensor->refused = places[i].piece->refused;
    if (tensor->refused != NULL)
        return OK;
    for (size_t i = 1; i < count; i++)
        if (!tensor_type_equal(&places[i].piece->type, &first->type))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "it is %s in one place of the metadata and %s in another",
                           tensor_type_text(&first->type, a),
                           tensor_type_text(&places[i].piece->type, b));
    TRY(add_slices(found, places, count, tensor, err));
    for (size_t i = 0; i < tensor->slice_count; i++)
        covered += tensor->slices[i]->count;
    TRY(api_tf_slices_cover(tensor->name, &tensor->type.shape, tensor->slice_count, covered, err));
    if (tensor->slice_count > 1 ||
        !api_tf_v1_slice_is_plain(tensor->slices[0]->extents, tensor->type.shape.rank))
        TRY(find_partition(found, tensor, err));
    tensor->size = tensor_type_bytes(&tensor->type);
    for (size_t i = 0; i < tensor->slice_count; i++)
        TRY(look_at_values(tensor, tensor->slices[i], err));
    return OK;
}

enum err_code
api_tf_v1_tensors(const struct api_tf_v1_catalog *found, struct api_tf_v1_tensor **out,
                  size_t *tensor_count, struct err *err)
{
    struct place *places = NULL;
    size_t count = 0;

    TRY(group(found, &places, err));
    *tensor_count = 0;
    *out = arena_array(found->arena, found->piece_count, sizeof **out, err);
    if (*out == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < found->piece_count; i += count) {
        enum err_code code;

        count = 1;
        while (i + count < found->piece_count && places[i + count].first == places[i].first)
            count++;
        code = make_tensor(found, places + i, count, *out + (*tensor_count)++, err);
        if (code != OK) {
            api_tf_v1_about(places[i].piece->name, err);
            return code;
        }
    }
    return OK;
}
