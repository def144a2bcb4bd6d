/* A model's variables as an expression's source, and results in memory. Each variable met is opened
 * once. */
#include "service/expr/compute.h"

#include <inttypes.h>

#include "service/expr/op.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

void
compute_source_init(struct compute_source *source, const struct store_view *view, uint64_t model_id)
{
    *source = (struct compute_source){.view = view, .model_id = model_id};
}

void
compute_source_drop(struct compute_source *source)
{
    for (size_t i = 0; i < source->read_count; i++) {
        value_reader_drop(&source->reads[i]->reader);
        mem_free(source->reads[i]);
    }
    mem_free(source->reads);
    *source = (struct compute_source){0};
}

enum err_code
compute_uninitialized(const char *name, struct err *err)
{
    (void)err_set(err, ERR_FAILED_PRECONDITION,
                  "variable '%s' is not initialized: run its initializer or restore it first "
                  "(Attempting to use uninitialized value %s)",
                  name, name);
    err_about(err, "variable", name);
    return ERR_FAILED_PRECONDITION;
}

/* Where `name` is among the reads, or would be. */
static size_t
place_of(const struct compute_source *source, const char *name)
{
    size_t low = 0, high = source->read_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(source->reads[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static enum err_code
insert_read(struct compute_source *source, size_t at, struct compute_read **out, struct err *err)
{
    struct compute_read **grown =
        mem_grown(source->reads, source->read_count, &source->read_capacity,
                  sizeof(struct compute_read *), err);
    struct compute_read *read;

    if (grown == NULL)
        return ERR_NO_MEMORY;
    source->reads = grown;
    read = mem_zeroed(1, sizeof *read, err);
    if (read == NULL)
        return ERR_NO_MEMORY;
    memmove(source->reads + at + 1, source->reads + at,
            (source->read_count - at) * sizeof(struct compute_read *));
    source->reads[at] = read;
    source->read_count++;
    *out = read;
    return OK;
}

static enum err_code
new_read(struct compute_source *source, size_t at, const char *name, struct compute_read **out,
         struct err *err)
{
    struct variable_record variable;
    struct compute_read *read = NULL;

    TRY(name_check("variable", name, err));
    TRY(service_find_variable(source->view, source->model_id, name, &variable, err));
    if (variable.value.kind == VALUE_NONE && !variable.shape_known)
        return compute_uninitialized(name, err);
    TRY(insert_read(source, at, &read, err));
    CHECK(read != NULL);
    memcpy(read->name, name, strlen(name) + 1);
    read->type = variable.type;
    *out = read;
    if (variable.value.kind == VALUE_NONE)
        return OK;
    TRY(value_open(source->view, &variable.value, &read->reader, err));
    read->initialized = true;
    return OK;
}

static enum err_code
find_read(struct compute_source *source, const char *name, struct compute_read **out,
          struct err *err)
{
    size_t at = place_of(source, name);

    if (at == source->read_count || strcmp(source->reads[at]->name, name) != 0)
        return new_read(source, at, name, out, err);
    *out = source->reads[at];
    return OK;
}

static enum err_code
source_type(void *context, const char *name, bool initialized, struct tensor_type *out,
            struct err *err)
{
    struct compute_read *read = NULL;

    (void)initialized;
    TRY(find_read(context, name, &read, err));
    *out = read->type;
    return OK;
}

static enum err_code
source_read(void *context, const char *name, bool initialized, uint64_t offset, uint64_t size,
            void *out, struct err *err)
{
    struct compute_read *read = NULL;

    (void)initialized;
    TRY(find_read(context, name, &read, err));
    if (!read->initialized)
        return compute_uninitialized(name, err);
    return value_copy(&read->reader, offset, size, out, err);
}

/* Chunks and records lie where they are as long as the view does; what is made when read does not.
 */
static enum err_code
source_lend(void *context, const char *name, bool initialized, uint64_t offset, uint64_t size,
            struct bytes *out, struct err *err)
{
    struct compute_read *read = NULL;
    struct bytes run = {0};

    (void)initialized;
    *out = (struct bytes){0};
    TRY(find_read(context, name, &read, err));
    if (!read->initialized)
        return compute_uninitialized(name, err);
    if (read->reader.has_recipe || size == 0)
        return OK;
    TRY(value_run(&read->reader, offset, size, &run, NULL, err));
    if (run.size == size)
        *out = run;
    return OK;
}

static enum err_code
source_size(void *context, const char *name, bool initialized, uint64_t *out, struct err *err)
{
    struct compute_read *read = NULL;

    (void)initialized;
    TRY(find_read(context, name, &read, err));
    if (!read->initialized)
        return compute_uninitialized(name, err);
    *out = read->reader.ref.size;
    return OK;
}

struct expr_source
compute_expr_source(struct compute_source *source)
{
    return (struct expr_source){.context = source,
                                .type = source_type,
                                .read = source_read,
                                .lend = source_lend,
                                .size = source_size};
}

enum err_code
compute_infer(const struct store_view *view, uint64_t model_id, struct expr_tree *tree,
              const char *what, struct err *err)
{
    AUTO(compute_source) reads = {0};
    struct expr_source source;
    enum err_code code;

    compute_source_init(&reads, view, model_id);
    source = compute_expr_source(&reads);
    code = expr_infer(tree, &source, DTYPE_UNSET, err);
    if (code != OK)
        err_prefix(err, "%s", what);
    return code;
}

uint64_t
compute_work_bytes(const struct expr_tree *tree)
{
    uint64_t work = 0;

    for (uint32_t i = 0; i < tree->node_count; i++) {
        const struct expr *node = tree->nodes[i];

        if (node->depth == 0)
            continue;
        if (__builtin_add_overflow(work, tensor_type_bytes(&node->type), &work))
            return UINT64_MAX;
        if (node->kind == EXPR_OP && node->op->operations != NULL &&
            __builtin_add_overflow(work, node->op->operations(node), &work))
            return UINT64_MAX;
    }
    return work;
}

uint64_t
compute_stored_bytes(const struct expr_tree *tree)
{
    _Alignas(16) uint8_t element[16];

    return expr_constant_fill(tree, element) ? 0 : tensor_type_bytes(&tree->root->type);
}

void
compute_evaluator_drop(struct evaluator **evaluator)
{
    evaluator_drop(*evaluator);
}

enum err_code
compute_size(const struct expr_tree *tree, const struct expr_source *source,
             const struct evaluator_options *options, struct buf *strings, uint64_t *size,
             struct err *err)
{
    AUTO_CALL(compute_evaluator_drop) struct evaluator *evaluator = NULL;

    if (tree->root->type.dtype != DTYPE_STRING) {
        *size = tensor_type_bytes(&tree->root->type);
        return OK;
    }
    TRY(evaluator_open(tree, source, options, &evaluator, err));
    TRY(evaluator_strings(evaluator, strings, err));
    *size = strings->size;
    return OK;
}

enum err_code
compute_read_all(const struct expr_tree *tree, const struct expr_source *source,
                 const struct evaluator_options *options, void *out, struct err *err)
{
    AUTO_CALL(compute_evaluator_drop) struct evaluator *evaluator = NULL;

    TRY(evaluator_open(tree, source, options, &evaluator, err));
    return evaluator_read(evaluator, 0, shape_count(&tree->root->type.shape), out, err);
}

enum err_code
compute_tensor(const struct expr_tree *tree, const char *what, const struct expr_source *source,
               const struct evaluator_options *options, struct tensor *out, struct err *err)
{
    uint64_t size = tensor_type_bytes(&tree->root->type);
    AUTO(tensor) tensor = {0};

    if (size > options->bytes_max)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "%s of %" PRIu64 " bytes are over the limit of %" PRIu64
                       " bytes (expression_max_bytes)",
                       what, size, options->bytes_max);
    TRY(tensor_init(&tensor, &tree->root->type, size, err));
    TRY(compute_read_all(tree, source, options, tensor.data, err));
    *out = TAKE(tensor);
    return OK;
}
