/* Paths to handlers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "api/router.h"

static enum err_code
nothing(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    (void)rq;
    (void)rp;
    return err_set(err, ERR_INTERNAL, "not called");
}

#define ROW(method, path, id)                                                                      \
    {                                                                                              \
        METHOD_##method, path, id, nothing, RUN_INLINE, BODY_NONE, ""                              \
    }

static const struct api_route table[] = {
    ROW(GET, "/", "root"),
    ROW(GET, "/v1", "facts"),
    ROW(POST, "/v1:verify", "verify"),
    ROW(GET, "/v1/models", "list"),
    ROW(GET, "/v1/models/{model}", "model"),
    ROW(PUT, "/v1/models/{model}", "create"),
    ROW(POST, "/v1/models/{model}:initialize", "initialize"),
    ROW(GET, "/v1/models/{model}/values", "values"),
    ROW(GET, "/v1/models/{model}/variables", "variables"),
    ROW(GET, "/v1/models/{model}/variables/{name}", "variable"),
    ROW(DELETE, "/v1/models/{model}/variables/{name}", "delete"),
    ROW(GET, "/v1/models/{model}/variables/{name}:value", "value"),
    ROW(PUT, "/v1/models/{model}/variables/{name}:value", "assign"),
    ROW(POST, "/v1/models/{model}/variables/{name}:assign_add", "add"),
    ROW(POST, "/v1/models/{model}/variables/{name}:assign", "assign_again"),
    ROW(GET, "/v1/models/{model}/checkpoints:latest", "latest"),
    ROW(GET, "/v1/models/{model}/checkpoints/{name}:export", "export"),
    ROW(GET, "/v1/models/{model}/optimizers/{name}", "optimizer"),
    ROW(POST, "/v1/models/{model}/optimizers/{name}:apply", "apply"),
    ROW(GET, "/v1/models/{model}/optimizers/{name}/accumulations", "accumulations"),
    ROW(GET, "/v1/models/{model}/optimizers/{name}/accumulations/{key}", "accumulation"),
};

static int
open_router(void **state)
{
    struct api_router *router = NULL;

    if (api_router_open(table, sizeof table / sizeof *table, &router, NULL) != OK)
        return -1;
    *state = router;
    return 0;
}

static int
drop_router(void **state)
{
    api_router_drop(*state);
    return 0;
}

static enum err_code
match(void **state, enum api_method method, const char *path, struct api_match *out,
      struct err *err)
{
    memset(out, 0, sizeof *out);
    return api_router_match(*state, method, bytes_of_text(path), out, err);
}

static void
each_path_finds_its_own_row(void **state)
{
    static const struct {
        enum api_method method;
        const char *path, *id, *model, *name;
    } cases[] = {
        {METHOD_GET, "/", "root", "", ""},
        {METHOD_GET, "/v1", "facts", "", ""},
        {METHOD_POST, "/v1:verify", "verify", "", ""},
        {METHOD_GET, "/v1/models", "list", "", ""},
        {METHOD_GET, "/v1/models/m", "model", "m", ""},
        {METHOD_HEAD, "/v1/models/m", "model", "m", ""},
        {METHOD_PUT, "/v1/models/mnist-1.2_x", "create", "mnist-1.2_x", ""},
        {METHOD_POST, "/v1/models/m:initialize", "initialize", "m", ""},
        {METHOD_GET, "/v1/models/values/values", "values", "values", ""},
        {METHOD_GET, "/v1/models/m/variables/w", "variable", "m", "w"},
        {METHOD_GET, "/v1/models/m/variables/a/b/c", "variable", "m", "a/b/c"},
        {METHOD_GET, "/v1/models/m/variables/a%2Fb", "variable", "m", "a/b"},
        {METHOD_GET, "/v1/models/m/variables/a/_b/-c", "variable", "m", "a/_b/-c"},
        {METHOD_GET, "/v1/models/m/variables/variables", "variable", "m", "variables"},
        {METHOD_GET, "/v1/models/m/variables/w:0", "variable", "m", "w"},
        {METHOD_GET, "/v1/models/m/variables/w:value", "value", "m", "w"},
        {METHOD_PUT, "/v1/models/m/variables/a/w:0:value", "assign", "m", "a/w"},
        {METHOD_POST, "/v1/models/m/variables/w:assign_add", "add", "m", "w"},
        {METHOD_GET, "/v1/models/m/checkpoints:latest", "latest", "m", ""},
        {METHOD_GET, "/v1/models/m/checkpoints/model.ckpt-1:export", "export", "m", "model.ckpt-1"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct api_match found;
        struct err err = ERR_INIT;

        if (match(state, cases[i].method, cases[i].path, &found, &err) != OK)
            fail_msg("%s: %s", cases[i].path, err.text);
        assert_string_equal(found.route->operation_id, cases[i].id);
        assert_string_equal(found.path.model, cases[i].model);
        assert_string_equal(found.path.name, cases[i].name);
    }
}

/* What stands behind a name is not a part of it, unless its slash is escaped. */
static void
a_name_ends_where_a_template_goes_on(void **state)
{
    static const struct {
        const char *path, *id, *name, *key;
    } cases[] = {
        {"o/accumulations", "accumulations", "o", ""},
        {"o/accumulations/step-17", "accumulation", "o", "step-17"},
        {"a/b/accumulations/%3Ck%3E", "accumulation", "a/b", "<k>"},
        {"a/b/accumulations", "accumulations", "a/b", ""},
        {"accumulations", "optimizer", "accumulations", ""},
        {"accumulations/accumulations", "accumulations", "accumulations", ""},
        {"accumulations/accumulations/accumulations", "accumulations",
         "accumulations/accumulations", ""},
        {"accumulations/k", "optimizer", "accumulations/k", ""},
        {"a%2Faccumulations", "optimizer", "a/accumulations", ""},
        {"a/accumulations%2Fk", "optimizer", "a/accumulations/k", ""},
        {"o/accumulations/a/b", "optimizer", "o/accumulations/a/b", ""},
    };
    static const struct {
        const char *path, *words;
        enum err_code code;
    } bad[] = {
        {"o/accumulations/", "key is empty", ERR_INVALID_ARGUMENT},
        {"o/accumulations/%20", "0x20", ERR_INVALID_ARGUMENT},
        {"o/accumulations/k:apply", "no verb ':apply'", ERR_NOT_FOUND},
        {"o/accumulations:apply", "no verb ':apply'", ERR_NOT_FOUND},
        {"_o/accumulations/k", "optimizer", ERR_INVALID_ARGUMENT},
    };
    char path[200];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct api_match found;
        struct err err = ERR_INIT;

        (void)snprintf(path, sizeof path, "/v1/models/m/optimizers/%s", cases[i].path);
        if (match(state, METHOD_GET, path, &found, &err) != OK)
            fail_msg("%s: %s", path, err.text);
        assert_string_equal(found.route->operation_id, cases[i].id);
        assert_string_equal(found.path.name, cases[i].name);
        assert_string_equal(found.path.key, cases[i].key);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct api_match found;
        struct err err = ERR_INIT;

        (void)snprintf(path, sizeof path, "/v1/models/m/optimizers/%s", bad[i].path);
        assert_int_equal(match(state, METHOD_GET, path, &found, &err), bad[i].code);
        if (strstr(err.text, bad[i].words) == NULL)
            fail_msg("%s: %s", path, err.text);
    }
}

static void
an_unknown_path_is_not_found(void **state)
{
    static const char *const paths[] = {
        "/v2", "/v1/model", "/V1", "/v1/models/m/other", "/v1/models/m/variables:foo", "/v1x"};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct api_match found;

        assert_int_equal(match(state, METHOD_GET, paths[i], &found, NULL), ERR_NOT_FOUND);
    }
}

static void
an_unknown_verb_is_answered_with_the_known_ones(void **state)
{
    struct api_match found;
    struct err err = ERR_INIT;

    assert_int_equal(match(state, METHOD_POST, "/v1/models/m/variables/w:assing", &found, &err),
                     ERR_NOT_FOUND);
    assert_string_equal(err.text, "there is no verb ':assing' here: did you mean ':assign'?");
    err_clear(&err);
    assert_int_equal(match(state, METHOD_POST, "/v1/models/m/variables/w:scale", &found, &err),
                     ERR_NOT_FOUND);
    assert_string_equal(err.text,
                        "there is no verb ':scale' here, only :value, :assign_add, :assign");
    err_clear(&err);
    assert_int_equal(match(state, METHOD_GET, "/v1/models/m/checkpoints", &found, &err),
                     ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, ":latest"));
}

static void
another_method_is_answered_with_allow(void **state)
{
    struct api_match found;

    assert_int_equal(match(state, METHOD_POST, "/v1/models/m/variables/w:value", &found, NULL),
                     ERR_METHOD_NOT_ALLOWED);
    assert_string_equal(found.allow, "GET, HEAD, PUT, OPTIONS");
    assert_int_equal(match(state, METHOD_HEAD, "/v1/models/m:initialize", &found, NULL),
                     ERR_METHOD_NOT_ALLOWED);
    assert_string_equal(found.allow, "POST, OPTIONS");
}

static void
options_tells_what_is_allowed(void **state)
{
    struct api_match found;

    assert_int_equal(match(state, METHOD_OPTIONS, "/v1/models/m", &found, NULL), OK);
    assert_null(found.route);
    assert_string_equal(found.allow, "GET, HEAD, PUT, OPTIONS");
    assert_int_equal(match(state, METHOD_OPTIONS, "/v1/nope", &found, NULL), ERR_NOT_FOUND);
}

static void
illegal_names_are_refused(void **state)
{
    static const char *const paths[] = {
        "/v1/models/",
        "/v1/models/a%2Fb",
        "/v1/models/-a",
        "/v1/models/a%20b",
        "/v1/models/m/variables/",
        "/v1/models/m/variables/_w",
        "/v1/models/m/variables/w/",
        "/v1/models/m/variables/%2Fw",
        "/v1/models/m/variables/w%20x",
        "/v1/models/m/variables/a:b/c",
        "/v1/models/m/variables/w:1:value",
        "/v1/models/m/variables/%c3%a9",
        "/v1/models/m/variables/:value",
        "/v1/models/m/checkpoints/c:0:export",
    };

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct api_match found;

        if (match(state, METHOD_GET, paths[i], &found, NULL) != ERR_INVALID_ARGUMENT)
            fail_msg("'%s' was not refused", paths[i]);
    }
}

static void
long_names_are_refused_at_their_limits(void **state)
{
    char path[4096] = "/v1/models/m/variables/";
    struct api_match found;
    struct err err = ERR_INIT;
    size_t begin = strlen(path);

    memset(path + begin, 'x', 255);
    path[begin + 255] = '\0';
    assert_int_equal(match(state, METHOD_GET, path, &found, &err), OK);
    assert_int_equal(strlen(found.path.name), 255);
    path[begin + 255] = 'x';
    path[begin + 256] = '\0';
    assert_int_equal(match(state, METHOD_GET, path, &found, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "256"));
    memset(path + begin, 'x', 3000);
    path[begin + 3000] = '\0';
    assert_int_equal(match(state, METHOD_GET, path, &found, NULL), ERR_INVALID_ARGUMENT);
    memset(path + 11, 'y', 129);
    path[11 + 129] = '\0';
    assert_int_equal(match(state, METHOD_GET, path, &found, NULL), ERR_INVALID_ARGUMENT);
}

static void
the_real_table_builds(void **state)
{
    struct api_router *router = NULL;

    (void)state;
    assert_true(api_route_count > 3);
    assert_int_equal(api_router_open(api_routes, api_route_count, &router, NULL), OK);
    for (size_t i = 0; i < api_route_count; i++) {
        assert_non_null(api_routes[i].handler);
        assert_true(api_routes[i].operation_id[0] != '\0');
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(api_routes[i].operation_id, api_routes[k].operation_id);
    }
    api_router_drop(router);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_path_finds_its_own_row),
        cmocka_unit_test(a_name_ends_where_a_template_goes_on),
        cmocka_unit_test(an_unknown_path_is_not_found),
        cmocka_unit_test(an_unknown_verb_is_answered_with_the_known_ones),
        cmocka_unit_test(another_method_is_answered_with_allow),
        cmocka_unit_test(options_tells_what_is_allowed),
        cmocka_unit_test(illegal_names_are_refused),
        cmocka_unit_test(long_names_are_refused_at_their_limits),
        cmocka_unit_test(the_real_table_builds),
    };

    return cmocka_run_group_tests(tests, open_router, drop_router);
}
