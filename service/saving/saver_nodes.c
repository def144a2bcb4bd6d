#include "service/saving/saver_nodes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/graph/graph_place.h"

/* --- names --------------------------------------------------------------------------------- */

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void
saver_nodes_avoid(struct saver_nodes *s, const char **taken, size_t count)
{
    qsort(taken, count, sizeof *taken, compare_names);
    s->taken = taken;
    s->taken_count = count;
}

const char *
saver_nodes_name(struct saver_nodes *s, const char *base, struct err *err)
{
    size_t i = 0;

    while (s->counters[i].base != NULL && strcmp(s->counters[i].base, base) != 0)
        i++;
    s->counters[i].base = base;
    for (;;) {
        char number[24] = "", name[GRAPH_SCOPE_BYTES_MAX];
        const char *text = name;

        if (s->counters[i].next > 0)
            snprintf(number, sizeof number, "_%" PRIu64, s->counters[i].next);
        s->counters[i].next++;
        snprintf(name, sizeof name, "%s%s%s%s", s->scope == NULL ? "" : s->scope,
                 s->scope == NULL ? "" : "/", base, number);
        if (bsearch(&text, s->taken, s->taken_count, sizeof *s->taken, compare_names) == NULL)
            return arena_text(s->arena, bytes_of_text(name), err);
    }
}

const char *
saver_nodes_below(struct saver_nodes *s, const char *name, const char *inner, struct err *err)
{
    char text[GRAPH_SCOPE_BYTES_MAX];

    snprintf(text, sizeof text, "%s/%s", name, inner);
    return arena_text(s->arena, bytes_of_text(text), err);
}

const char *
saver_nodes_control(struct saver_nodes *s, const char *name, struct err *err)
{
    char text[GRAPH_SCOPE_BYTES_MAX];

    snprintf(text, sizeof text, "^%s", name);
    return arena_text(s->arena, bytes_of_text(text), err);
}

/* --- nodes --------------------------------------------------------------------------------- */

enum err_code
saver_nodes_add(struct saver_nodes *s, const char *name, const char *op, const char *const *inputs,
                size_t input_count, struct graph_node **out, struct err *err)
{
    struct graph_node *grown =
        arena_grown(s->arena, s->nodes, s->count, &s->capacity, sizeof *grown, err);
    const char **copies = arena_array(s->arena, input_count, sizeof *copies, err);

    if (grown == NULL || copies == NULL || name == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < input_count; i++) {
        copies[i] = inputs[i];
        if (inputs[i] == NULL)
            return ERR_NO_MEMORY;
    }
    s->nodes = grown;
    *out = &grown[s->count++];
    **out = (struct graph_node){
        .name = name, .op = op, .inputs = copies, .input_count = (uint32_t)input_count};
    return OK;
}

void
saver_nodes_type(struct graph_node *node, const struct tensor_type *type)
{
    node->has_dtype = node->has_shape = true;
    node->type = *type;
}

enum err_code
saver_nodes_add_texts(struct saver_nodes *s, const char *name, const char *const *texts,
                      size_t count, bool scalar, struct err *err)
{
    struct tensor_type type = {.dtype = DTYPE_STRING, .shape = {.rank = !scalar}};
    const char **copies = arena_array(s->arena, count, sizeof *copies, err);
    struct graph_node *node = NULL;

    if (copies == NULL)
        return ERR_NO_MEMORY;
    memcpy(copies, texts, count * sizeof *copies);
    type.shape.dims[0] = scalar ? 0 : count;
    TRY(saver_nodes_add(s, name, "Const", NULL, 0, &node, err));
    saver_nodes_type(node, &type);
    node->texts = copies;
    node->text_count = (uint32_t)count;
    return OK;
}

enum err_code
saver_nodes_add_number(struct saver_nodes *s, const char *name, uint32_t number, struct err *err)
{
    const struct tensor_type type = {.dtype = DTYPE_INT32};
    struct graph_node *node = NULL;

    TRY(saver_nodes_add(s, name, "Const", NULL, 0, &node, err));
    saver_nodes_type(node, &type);
    node->has_number = true;
    node->number = number;
    return OK;
}

enum err_code
saver_nodes_add_of_string(struct saver_nodes *s, const char *name, const char *op,
                          const char *const *inputs, size_t count, struct err *err)
{
    const struct tensor_type type = {.dtype = DTYPE_STRING};
    struct graph_node *node = NULL;

    TRY(saver_nodes_add(s, name, op, inputs, count, &node, err));
    saver_nodes_type(node, &type);
    return OK;
}
