/* Names in a model's graph, made unique as TensorFlow's Graph.unique_name does: name, name_1,
 * name_2, by a counter for each name asked for.
 *
 * A variable's node has the variable's name, but where an op's scope has it already. So nothing is
 * written for most variables: what exists is looked up. An op's scope is passed over when variables
 * have names in it, a variable's when others have the names of its inner nodes: TensorFlow would
 * number those inner nodes instead. */
#include "service/graph/graph_place.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/graph/graph_walk.h"
#include "store/base/check.h"
#include "store/base/scope.h"

static const char *const variable_nodes[] = {"initial_value", "Assign", "read"};

enum { VARIABLE_NODES = sizeof variable_nodes / sizeof variable_nodes[0] };

#define INITIALIZER_SCOPE "Initializer/"

/* --- what is there ------------------------------------------------------------------------- */

static enum err_code
variable_exists(const struct store_view *view, uint64_t model_id, const char *name, bool *out,
                struct err *err)
{
    struct record_key key;
    struct bytes record;

    *out = false;
    if (strlen(name) > NAME_BYTES_MAX)
        return OK;
    key = record_key_variable(model_id, name);
    TRY(store_get(view, record_key_bytes(&key), &record, err));
    *out = record.data != NULL;
    return OK;
}

/* A variable whose name begins with `scope` and a slash? */
static enum err_code
variables_below(const struct store_view *view, uint64_t model_id, const char *scope, bool *out,
                struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    char prefix[GRAPH_SCOPE_BYTES_MAX + 32];
    struct record_key under;
    struct bytes key, value;

    *out = false;
    if (snprintf(prefix, sizeof prefix, "%s/", scope) > NAME_BYTES_MAX)
        return OK;
    under = record_key_variable(model_id, prefix);
    TRY(store_cursor_open(view, record_key_bytes(&under), bytes_of(NULL, 0), &cursor, err));
    return store_cursor_next(cursor, out, &key, &value, err);
}

/* "name_12": the name's length and 12; 0 when it is not of that form. */
static size_t
numbered(const char *name, uint64_t *number)
{
    size_t size = strlen(name), at = size;

    *number = 0;
    while (at > 0 && name[at - 1] >= '0' && name[at - 1] <= '9')
        at--;
    if (at < 2 || at == size || size - at > 18 || name[at - 1] != '_' || name[at] == '0')
        return 0;
    for (size_t i = at; i < size; i++)
        *number = *number * 10 + (uint64_t)(name[i] - '0');
    return at - 1;
}

/* Whether a scope was given this name by its counter, or by that of name in name_<n>. */
static enum err_code
scope_exists(const struct store_view *view, uint64_t model_id, const char *name, bool *out,
             struct err *err)
{
    uint64_t counter = 0, number = 0;
    size_t size = numbered(name, &number);
    char base[NAME_BYTES_MAX + 1];

    *out = false;
    if (strlen(name) > NAME_BYTES_MAX)
        return OK;
    TRY(record_get_scope_counter(view, model_id, name, &counter, err));
    *out = counter > 0;
    if (*out || size == 0)
        return OK;
    snprintf(base, sizeof base, "%.*s", (int)size, name);
    TRY(record_get_scope_counter(view, model_id, base, &counter, err));
    *out = counter > number;
    return OK;
}

/* --- whether a name is taken --------------------------------------------------------------- */

static enum err_code
taken_for_op(const struct store_view *view, uint64_t model_id, const char *name, bool *out,
             struct err *err)
{
    TRY(variable_exists(view, model_id, name, out, err));
    return *out ? OK : variables_below(view, model_id, name, out, err);
}

/* Inner nodes of the variable would have the names of other variables. */
static enum err_code
hides_others(const struct store_view *view, uint64_t model_id, const char *name, bool *out,
             struct err *err)
{
    char inner[GRAPH_SCOPE_BYTES_MAX + 32];

    TRY(variables_below(view, model_id, name, out, err));
    if (!*out)
        return OK;
    *out = false;
    for (size_t i = 0; i < VARIABLE_NODES && !*out; i++) {
        snprintf(inner, sizeof inner, "%s/%s", name, variable_nodes[i]);
        TRY(variable_exists(view, model_id, inner, out, err));
    }
    if (*out)
        return OK;
    snprintf(inner, sizeof inner, "%s/Initializer", name);
    return variables_below(view, model_id, inner, out, err);
}

static bool
is_variable_node(const char *rest)
{
    for (size_t i = 0; i < VARIABLE_NODES; i++)
        if (strcmp(rest, variable_nodes[i]) == 0)
            return true;
    return strncmp(rest, INITIALIZER_SCOPE, strlen(INITIALIZER_SCOPE)) == 0;
}

/* The name is that of an inner node of something else. */
static enum err_code
is_inner(const struct store_view *view, uint64_t model_id, const char *name, bool *out,
         struct err *err)
{
    char above[GRAPH_SCOPE_BYTES_MAX];

    *out = false;
    for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        snprintf(above, sizeof above, "%.*s", (int)(slash - name), name);
        if (is_variable_node(slash + 1))
            TRY(variable_exists(view, model_id, above, out, err));
        if (!*out && graph_is_inner_name(bytes_of_text(slash + 1)))
            TRY(scope_exists(view, model_id, above, out, err));
        if (*out)
            return OK;
    }
    return OK;
}

static enum err_code
taken_for_variable(const struct store_view *view, uint64_t model_id, const char *name, bool own,
                   bool *out, struct err *err)
{
    *out = false;
    if (!own)
        TRY(variable_exists(view, model_id, name, out, err));
    if (!*out)
        TRY(scope_exists(view, model_id, name, out, err));
    if (!*out)
        TRY(hides_others(view, model_id, name, out, err));
    if (!*out)
        TRY(is_inner(view, model_id, name, out, err));
    return OK;
}

/* --- numbers ------------------------------------------------------------------------------- */

const char *
graph_numbered_name(const char *base, uint64_t number, char out[static GRAPH_SCOPE_BYTES_MAX])
{
    if (number == 0)
        snprintf(out, GRAPH_SCOPE_BYTES_MAX, "%s", base);
    else
        snprintf(out, GRAPH_SCOPE_BYTES_MAX, "%s_%" PRIu64, base, number);
    return out;
}

static enum err_code
number_scope(struct store_txn *txn, uint64_t model_id, const char *base, uint64_t *out,
             struct err *err)
{
    const struct store_view *view = store_txn_view(txn);
    char name[GRAPH_SCOPE_BYTES_MAX];
    bool taken = true;

    TRY(record_get_scope_counter(view, model_id, base, out, err));
    for (;; ++*out) {
        TRY(taken_for_op(view, model_id, graph_numbered_name(base, *out, name), &taken, err));
        if (!taken)
            return record_put_scope_counter(txn, model_id, base, *out + 1, err);
    }
}

static enum err_code
number_variable(struct store_txn *txn, uint64_t model_id, const char *name, uint64_t *out,
                struct err *err)
{
    const struct store_view *view = store_txn_view(txn);
    char tried[GRAPH_SCOPE_BYTES_MAX];
    uint64_t counter = 0;
    bool taken = false;

    *out = 0;
    TRY(taken_for_variable(view, model_id, name, true, &taken, err));
    if (!taken)
        return OK;
    TRY(record_get_scope_counter(view, model_id, name, &counter, err));
    for (*out = counter > 0 ? counter : 1;; ++*out) {
        TRY(taken_for_variable(view, model_id, graph_numbered_name(name, *out, tried), false,
                               &taken, err));
        if (!taken)
            return record_put_scope_counter(txn, model_id, name, *out + 1, err);
    }
}

/* Where the number that follows the last one of this name is kept; UINT64_MAX before the first. */
static uint64_t *
next_of(struct graph_numbers *numbers, const char *name)
{
    uint32_t i = 0;

    while (i < numbers->name_count && strcmp(numbers->names[i].name, name) != 0)
        i++;
    CHECK(i < GRAPH_NAMES_MAX);
    if (i == numbers->name_count) {
        numbers->names[i].name = name;
        numbers->names[i].next = UINT64_MAX;
        numbers->name_count++;
    }
    return &numbers->names[i].next;
}

uint64_t
graph_numbers_read(struct graph_numbers *numbers, const char *name)
{
    struct reader ahead = numbers->recorded;
    uint64_t *next = next_of(numbers, name);

    if (reader_u32(&ahead) == numbers->index && !ahead.failed) {
        *next = reader_u64(&ahead);
        numbers->recorded = ahead;
    }
    numbers->index++;
    return (*next)++;
}

/* --- placing ------------------------------------------------------------------------------- */

struct placing {
    struct store_txn *txn;
    uint64_t model_id;
    const struct expr_tree *tree;
    const struct expr *expr; /* whose scope was numbered last */
    struct graph_numbers numbers;
    struct buf *out;
};

/* The first node of each op opens its scope. */
static enum err_code
place_item(void *context, const struct graph_item *item, struct err *err)
{
    struct placing *p = context;
    uint64_t number = 0, *next;

    if (item->expr == p->expr)
        return OK;
    p->expr = item->expr;
    if (item->expr == p->tree->root && graph_is_initializer(p->tree))
        return OK;
    TRY(number_scope(p->txn, p->model_id, graph_scope_name(p->tree, item->expr), &number, err));
    next = next_of(&p->numbers, graph_scope_name(p->tree, item->expr));
    if (*next != number) {
        TRY(buf_append_u32(p->out, p->numbers.index, err));
        TRY(buf_append_u64(p->out, number, err));
    }
    *next = number + 1;
    p->numbers.index++;
    return OK;
}

enum err_code
graph_place(struct store_txn *txn, uint64_t model_id, const char *name,
            const struct expr_tree *initial_value, struct variable_record *record,
            struct usage_change *change, struct err *err)
{
    struct placing p = {.txn = txn, .model_id = model_id, .tree = initial_value};
    struct usage_record usage;
    struct place_record place = {.name = bytes_of_text(name)};
    uint64_t count = 0;
    AUTO(buf) numbers;

    buf_init(&numbers, STORE_RECORD_BYTES_MAX);
    p.out = &numbers;
    TRY(record_get_usage(store_txn_view(txn), model_id, &usage, err));
    if (initial_value != NULL)
        TRY(graph_walk(initial_value, place_item, &p, err));
    TRY(graph_count_variable(initial_value, &count, err));
    TRY(number_variable(txn, model_id, name, &record->graph_number, err));
    record->graph_position = usage.graph_nodes + (uint64_t)change->graph_nodes;
    change->graph_nodes += (int64_t)count;
    place.numbers = buf_bytes(&numbers);
    return record_put_place(txn, model_id, record->graph_position, &place, err);
}

enum err_code
graph_leave(struct store_txn *txn, uint64_t model_id, const struct variable_record *record,
            struct err *err)
{
    struct record_key key = record_key_place(model_id, record->graph_position);

    return store_delete(txn, record_key_bytes(&key), err);
}
