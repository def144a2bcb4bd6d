/* The graph of a model: every op's rows, nodes in order, unique names, places that stay. */
#include "service/graph/graph.h"

#include <stdio.h>

#include "service/graph/graph_place.h"
#include "service/graph/graph_walk.h"
#include "service/state.h"
#include "tests/unit/service/service_fixture.h"

/* --- rows ---------------------------------------------------------------------------------- */

static bool
is_made_before(const struct op *op, const struct op_graph_node *rows, size_t count,
               struct bytes name)
{
    uint32_t arguments = op->arg_names == NULL ? 0 : op_arg_name_count(op);

    for (uint32_t i = 0; i < arguments; i++)
        if (bytes_equal(bytes_of_text(op->arg_names[i]), name))
            return true;
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(bytes_of_text(rows[i].name), name))
            return true;
    return false;
}

static void
check_inputs(const struct op *op, const struct op_graph_node *rows, size_t at)
{
    const char *words = rows[at].inputs == NULL ? "" : rows[at].inputs;

    while (*words != '\0') {
        size_t size = strcspn(words, " ");
        struct bytes name = bytes_of(words, size);

        if (words[0] == '$') {
            assert_true(size == 2);
            assert_true(words[1] == '*' || (uint32_t)(words[1] - '0') < op->args_max);
        } else {
            size_t cut = words[0] == '^' ? 1 : 0;
            const char *colon = memchr(words, ':', size); /* one of several outputs */

            name = bytes_of(words + cut, (colon == NULL ? size : (size_t)(colon - words)) - cut);
            if (!is_made_before(op, rows, at, name))
                print_error("%s: '%.*s' is not made before '%s'\n", op->name, (int)name.size,
                            (const char *)name.data, rows[at].name);
            assert_true(is_made_before(op, rows, at, name));
        }
        words += size + (words[size] == ' ');
    }
}

static void
every_op_says_what_it_is_in_the_graph(void **state)
{
    const struct op *op;

    (void)state;
    for (size_t i = 0; (op = op_at(i)) != NULL; i++) {
        const struct op_graph_node *rows = op->graph_nodes;
        size_t seeded = 0, count = 0;

        if (op->graph_type == NULL && rows == NULL && op->graph_rows == NULL)
            print_error("%s has neither graph_type nor rows\n", op->name);
        assert_true(op->graph_type != NULL || rows != NULL || op->graph_rows != NULL);
        for (; rows != NULL && rows[count].name != NULL; count++) {
            assert_non_null(rows[count].type);
            assert_false(strcmp(rows[count].type, "Const") == 0 && rows[count].inputs != NULL);
            check_inputs(op, rows, count);
            seeded += rows[count].seeded;
        }
        if (rows != NULL && op->random)
            assert_int_equal(seeded, 1);
    }
    assert_true(op_at(GRAPH_NAMES_MAX / 2) == NULL); /* room for two names of each op */
}

/* NULL: none. */
static void
must_be_inner(const char *name)
{
    if (name == NULL)
        return;
    if (!graph_is_inner_name(bytes_of_text(name)))
        print_error("'%s' is not taken for the name of an inner node\n", name);
    assert_true(graph_is_inner_name(bytes_of_text(name)));
}

static void
names_of_all_nodes_that_ops_make_are_known(void **state)
{
    const struct op *op;

    (void)state;
    for (size_t i = 0; (op = op_at(i)) != NULL; i++) {
        for (size_t k = 0; op->graph_nodes != NULL && op->graph_nodes[k].name != NULL; k++)
            must_be_inner(op->graph_nodes[k].name);
        for (uint32_t k = 0; op->arg_names != NULL && k < op_arg_name_count(op); k++) {
            must_be_inner(op->arg_names[k]);
            must_be_inner(op->graph_arg_names == NULL ? NULL : op->graph_arg_names[k]);
        }
        for (size_t k = 0; op->attrs[k].name != NULL; k++) {
            must_be_inner(op->attrs[k].name);
            must_be_inner(op->attrs[k].alias);
        }
    }
    assert_false(graph_is_inner_name(bytes_of_text("no/op/makes/a/node/of/this/name")));
}

/* --- through the service ------------------------------------------------------------------- */

enum { SEEN_BYTES_MAX = 8192 };

struct seen {
    char names[SEEN_BYTES_MAX]; /* of nodes, a blank after each */
    uint64_t position, op_seed; /* of the last variable; of its last seeded node */
    size_t variables, nodes;
};

static enum err_code
see(void *context, const struct graph_variable *variable, struct err *err)
{
    struct seen *seen = context;

    (void)err;
    for (size_t i = 0; i < variable->node_count; i++) {
        size_t used = strlen(seen->names);

        if (variable->nodes[i].has_seeds)
            seen->op_seed = variable->nodes[i].seeds.counter_high;
        (void)snprintf(seen->names + used, sizeof seen->names - used, "%s ",
                       variable->nodes[i].name);
    }
    seen->position = variable->position;
    seen->variables++;
    seen->nodes += variable->node_count;
    return OK;
}

static struct seen
seen_of(struct domain *d, const char *prefix)
{
    struct seen seen = {.variables = 0};
    uint64_t nodes = 0, revision = 0;
    bool more = true;

    WORKS(graph_list(d->service, MODEL, prefix, NULL, 1000, see, &seen, &more, &nodes, &revision,
                     &d->f->err),
          &d->f->err);
    assert_false(more);
    assert_int_equal(revision, usage_of_model(d).revision);
    return seen;
}

static void
model_again(struct domain *d, int64_t seed)
{
    struct model_spec spec = {
        .has_seed = true, .seed = seed, .has_seed_mode = true, .seed_mode = MODEL_SEED_MODE_TF};
    struct model_info info;
    uint64_t revision;
    bool created = false;

    WORKS(model_delete(d->service, MODEL, NULL, &revision, &d->f->err), &d->f->err);
    WORKS(model_create(d->service, MODEL, &spec, NULL, &created, &info, &revision, &d->f->err),
          &d->f->err);
}

static void
create_random(struct domain *d, const char *name, const char *op)
{
    struct expr_tree tree = tree_new();

    (void)exprs_set_shape(exprs_op(&tree, op, 0), "shape", exprs_shape(1, 3));
    create(d, name, &tree);
}

static void
nodes_come_in_tensorflows_order(void **state)
{
    struct domain *d = *state;
    struct expr_tree tree = tree_new();

    create_random(d, "w", "random_normal");
    (void)exprs_op(&tree, "multiply", 2, exprs_variable(&tree, "w", true),
                   exprs_weak_float(&tree, 2));
    create(d, "w2", &tree);
    assert_string_equal(seen_of(d, "w").names,
                        "random_normal/shape random_normal/mean random_normal/stddev "
                        "random_normal/RandomStandardNormal random_normal/mul random_normal "
                        "w w/Assign w/read Identity Mul/y Mul w2 w2/Assign w2/read ");
    assert_int_equal(seen_of(d, "w2").position, 9);
    declare(d, "plain", DTYPE_FLOAT32, scalar());
    assert_string_equal(seen_of(d, "plain").names, "plain plain/read ");
    assert_int_equal(seen_of(d, "plain").position, 15);
}

static void
places_outlive_deletion_and_reopening(void **state)
{
    struct domain *d = *state;

    model_again(d, 1);
    create_random(d, "a", "truncated_normal");
    create_random(d, "b", "truncated_normal");
    assert_int_equal(seen_of(d, "b").op_seed, 12);
    delete_variable(d, "a");
    domain_reopen(d);
    create_random(d, "a", "truncated_normal");
    assert_int_equal(seen_of(d, "a").op_seed, 21);
    assert_int_equal(seen_of(d, NULL).variables, 2);
    assert_non_null(strstr(seen_of(d, "a").names, "truncated_normal_2/mul truncated_normal_2 a "));
}

static void
a_model_seed_gives_tensorflows_numbers(void **state)
{
    /* random_normal of three by three, graph seed 777, the first op of a graph. */
    static const uint32_t bits[] = {0x400d5ad7, 0xbf3b74c4, 0x3eabb091};
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    uint8_t *got;
    size_t size = 0;

    model_again(d, 777);
    (void)exprs_set_shape(exprs_op(&tree, "random_normal", 0), "shape", exprs_shape(2, 3, 3));
    create(d, "n", &tree);
    initialize_all(d);
    got = value_of(d, "n", &size);
    assert_memory_equal(got, bits, sizeof bits);
    free(got);
}

static void
names_of_ops_pass_over_variables(void **state)
{
    struct domain *d = *state;

    create_random(d, "random_normal", "random_normal");
    create_random(d, "random_uniform/x", "random_normal");
    create_random(d, "c", "random_uniform");
    assert_non_null(strstr(seen_of(d, "random_normal").names,
                           " random_normal random_normal_1 random_normal_1/Assign "));
    assert_non_null(strstr(seen_of(d, "c").names, " random_uniform_1 c "));
    assert_int_equal(info_of_variable(d, "random_normal").record.graph_number, 1);
    assert_int_equal(info_of_variable(d, "c").record.graph_number, 0);
}

static void
every_way_to_make_a_variable_takes_a_place(void **state)
{
    static const float value[] = {1, 2};
    struct domain *d = *state;
    struct memory_source memory = memory_of(value, sizeof value);
    struct tensor_source source = source_of(&memory);
    struct variable_assign_options how = {.create = true, .trainable = true, .keep_shape = true};
    struct tensor_type type = type_of(DTYPE_FLOAT32, exprs_shape(1, 2));
    struct variable_change change;

    WORKS(variable_assign(d->service, MODEL, "w", &type, sizeof value, &source, &how, NULL, &change,
                          &d->f->err),
          &d->f->err);
    declare(d, "v", DTYPE_FLOAT32, scalar());
    assert_int_equal(seen_of(d, "v").position, 2);
    assert_int_equal(seen_of(d, NULL).nodes, 4);
}

static void
pages_go_on_behind_a_position(void **state)
{
    struct domain *d = *state;
    struct seen seen = {.variables = 0};
    uint64_t nodes = 0, revision = 0, after = 0;
    bool more = false;

    for (int i = 0; i < 5; i++) {
        char name[8];

        snprintf(name, sizeof name, "v%d", 9 - i);
        declare(d, name, DTYPE_FLOAT32, scalar());
    }
    for (size_t page = 1; page == 1 || more; page++) {
        WORKS(graph_list(d->service, MODEL, "v", page == 1 ? NULL : &after, 2, see, &seen, &more,
                         &nodes, &revision, &d->f->err),
              &d->f->err);
        after = seen.position;
        assert_true(page <= 3);
    }
    assert_int_equal(nodes, 10);
    assert_string_equal(seen.names, "v9 v9/read v8 v8/read v7 v7/read v6 v6/read v5 v5/read ");
    after = UINT64_MAX;
    WORKS(graph_list(d->service, MODEL, NULL, &after, 2, see, &seen, &more, &nodes, &revision,
                     &d->f->err),
          &d->f->err);
    assert_int_equal(seen.variables, 5);
    FAILS(graph_list(d->service, "absent", NULL, NULL, 2, see, &seen, &more, &nodes, &revision,
                     &d->f->err),
          ERR_NOT_FOUND, &d->f->err);
}

static void
numbers_that_follow_each_other_are_not_recorded(void **state)
{
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    struct expr *sum = exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", scalar());
    struct seen seen;

    create_literal(d, "zeros_3", DTYPE_FLOAT32, scalar(), &(float){0});
    for (int i = 0; i < 4; i++)
        sum = exprs_op(&tree, "add", 2, sum,
                       exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", scalar()));
    create(d, "many", &tree);
    seen = seen_of(d, "many");
    assert_string_equal(seen.names, "zeros zeros_1 Add zeros_2 Add_1 zeros_4 Add_2 zeros_5 Add_3 "
                                    "many many/Assign many/read ");
}

/* --- seeds of trees ------------------------------------------------------------------------ */

static void
seeds_are_asked_for_where_the_op_asks(void **state)
{
    struct model_record model = {.has_seed = true, .seed = 4, .seed_mode = MODEL_SEED_MODE_TF};
    struct expr_tree tree = tree_new();
    struct err err = ERR_INIT;
    int32_t values[] = {1, 2, 3};
    struct expr *shuffle = exprs_op(&tree, "random_shuffle", 1,
                                    exprs_literal(&tree, DTYPE_INT32, exprs_shape(1, 3), values));
    uint64_t count = 0;

    (void)state;
    WORKS(expr_infer(&tree, NULL, DTYPE_UNSET, &err), &err);
    WORKS(graph_draw(&model, 100, "w", &tree, &err), &err);
    assert_int_equal(shuffle->seeds.key, 4);
    assert_int_equal(shuffle->seeds.counter_high, 100); /* before the Const of its argument */
    WORKS(graph_count(&tree, &count, &err), &err);
    assert_int_equal(count, 2);
    WORKS(graph_count_variable(&tree, &count, &err), &err);
    assert_int_equal(count, 5);
    WORKS(graph_count_variable(NULL, &count, &err), &err);
    assert_int_equal(count, 2);
    (void)exprs_set_seed(shuffle, "seed", 9);
    assert_false(graph_wants_seed(&tree));
    WORKS(graph_draw(&model, 100, "w", &tree, &err), &err);
    assert_int_equal(shuffle->seeds.counter_high, 9);
    expr_tree_drop(&tree);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op_says_what_it_is_in_the_graph),
        cmocka_unit_test(names_of_all_nodes_that_ops_make_are_known),
        DOMAIN_TEST(nodes_come_in_tensorflows_order),
        DOMAIN_TEST(places_outlive_deletion_and_reopening),
        DOMAIN_TEST(a_model_seed_gives_tensorflows_numbers),
        DOMAIN_TEST(names_of_ops_pass_over_variables),
        DOMAIN_TEST(every_way_to_make_a_variable_takes_a_place),
        DOMAIN_TEST(pages_go_on_behind_a_position),
        DOMAIN_TEST(numbers_that_follow_each_other_are_not_recorded),
        cmocka_unit_test(seeds_are_asked_for_where_the_op_asks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
