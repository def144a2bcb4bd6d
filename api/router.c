/* The tree of paths. Always true: at each node a literal segment goes before {model}, {name} and
 * {key}, and a node has at most one of these, so a path leads to one node whatever the order of the
 * table. It is built once and only read afterwards. */
#include "api/router.h"

#include <stdio.h>
#include <string.h>

#include "api/handlers/handlers.h"
#include "api/http/target.h"
#include "api/json/text.h"
#include "service/training/accumulation.h"
#include "store/base/alloc.h"
#include "store/base/check.h"

const struct api_route api_routes[] = {
#define ROUTE(method, path, operation_id, handler, run, body, query)                               \
    {METHOD_##method, path, #operation_id, handler, run, body, query},
#include "api/routes.def"
#undef ROUTE
};
const size_t api_route_count = sizeof api_routes / sizeof *api_routes;

enum node_kind { NODE_LITERAL, NODE_MODEL, NODE_NAME, NODE_KEY };

struct node {
    enum node_kind kind;
    struct bytes text;         /* of a literal segment */
    struct node *child, *next; /* literal children */
    struct node *parameter;    /* {model}, {name} or {key} child */
    const char *names;         /* NODE_NAME: what its names are names of */
    struct leaf *leaves;       /* the routes that end here */
};

struct leaf {
    const struct api_route *route;
    struct bytes verb;
    struct leaf *next;
};

struct api_router {
    struct arena arena;
    struct node root; /* before the first slash */
};

static const char *const method_names[METHOD_COUNT] = {"GET",   "HEAD",   "POST",   "PUT",
                                                       "PATCH", "DELETE", "OPTIONS"};

const char *
api_method_name(enum api_method method)
{
    return method_names[method];
}

bool
api_method_of(const char *name, enum api_method *out)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (strcmp(method_names[i], name) == 0) {
            *out = (enum api_method)i;
            return true;
        }
    }
    return false;
}

/* --- building ------------------------------------------------------------------------------ */

/* "/a/b:verb" -> "/a/b" and "verb". The verb follows the last colon of the last segment. */
static struct bytes
cut_verb(struct bytes path, struct bytes *verb)
{
    for (size_t i = path.size; i > 0 && path.data[i - 1] != '/'; i--) {
        if (path.data[i - 1] == ':') {
            *verb = bytes_of(path.data + i, path.size - i);
            return bytes_of(path.data, i - 1);
        }
    }
    *verb = bytes_of("", 0);
    return path;
}

/* Cuts the first segment off *path, which begins with a slash. */
static struct bytes
cut_segment(struct bytes *path)
{
    const uint8_t *begin = path->data + 1;
    const uint8_t *slash = path->size > 1 ? memchr(begin, '/', path->size - 1) : NULL;
    struct bytes segment =
        bytes_of(begin, slash == NULL ? path->size - 1 : (size_t)(slash - begin));

    path->data += segment.size + 1;
    path->size -= segment.size + 1;
    return segment;
}

static struct node *
find_literal(const struct node *node, struct bytes segment)
{
    for (struct node *child = node->child; child != NULL; child = child->next)
        if (bytes_equal(child->text, segment))
            return child;
    return NULL;
}

/* What the names below a collection are names of. */
static const char *
singular_of(struct bytes collection)
{
    static const char *const known[][2] = {{"variables", "variable"},
                                           {"checkpoints", "checkpoint"},
                                           {"savers", "saver"},
                                           {"optimizers", "optimizer"},
                                           {"moving_averages", "moving average"},
                                           {"accumulators", "accumulator"}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (bytes_equal(collection, bytes_of_text(known[i][0])))
            return known[i][1];
    return "path";
}

static struct node *
add_node(struct api_router *router, struct node *parent, struct bytes segment, struct err *err)
{
    bool is_model = bytes_equal(segment, bytes_of_text("{model}"));
    bool is_name = bytes_equal(segment, bytes_of_text("{name}"));
    bool is_key = bytes_equal(segment, bytes_of_text("{key}"));
    enum node_kind kind = is_model  ? NODE_MODEL
                          : is_name ? NODE_NAME
                          : is_key  ? NODE_KEY
                                    : NODE_LITERAL;
    struct node *node = kind == NODE_LITERAL ? find_literal(parent, segment) : parent->parameter;

    if (node != NULL) {
        CHECK(node->kind == kind);
        return node;
    }
    node = arena_alloc(&router->arena, sizeof *node, err);
    if (node == NULL)
        return NULL;
    *node = (struct node){.kind = kind, .text = segment, .names = singular_of(parent->text)};
    if (kind == NODE_LITERAL) {
        node->next = parent->child;
        parent->child = node;
    } else {
        parent->parameter = node;
    }
    return node;
}

static enum err_code
add_route(struct api_router *router, const struct api_route *route, struct err *err)
{
    struct bytes verb, path = cut_verb(bytes_of_text(route->path), &verb);
    struct node *node = &router->root;
    struct leaf *leaf;

    CHECK(path.size > 0 && path.data[0] == '/');
    while (path.size > 0) {
        CHECK(node->kind != NODE_KEY);
        node = add_node(router, node, cut_segment(&path), err);
        if (node == NULL)
            return ERR_NO_MEMORY;
    }
    for (leaf = node->leaves; leaf != NULL; leaf = leaf->next)
        CHECK(leaf->route->method != route->method || !bytes_equal(leaf->verb, verb));
    leaf = arena_alloc(&router->arena, sizeof *leaf, err);
    if (leaf == NULL)
        return ERR_NO_MEMORY;
    *leaf = (struct leaf){route, verb, node->leaves};
    node->leaves = leaf;
    return OK;
}

void
api_router_drop(struct api_router *router)
{
    if (router == NULL)
        return;
    arena_drop(&router->arena);
    mem_free(router);
}

enum err_code
api_router_open(const struct api_route *routes, size_t count, struct api_router **out,
                struct err *err)
{
    struct api_router *router = mem_zeroed(1, sizeof *router, err);

    if (router == NULL)
        return ERR_NO_MEMORY;
    arena_init(&router->arena, SIZE_MAX / 2);
    for (size_t i = 0; i < count; i++) {
        enum err_code code = add_route(router, &routes[i], err);

        if (code != OK) {
            api_router_drop(router);
            return code;
        }
    }
    *out = router;
    return OK;
}

/* --- matching ------------------------------------------------------------------------------ */

enum { PATH_SHOWN_MAX = 300, VERBS_MAX = 32 /* of one path */ };

static int
shown(struct bytes path)
{
    return path.size < PATH_SHOWN_MAX ? (int)path.size : PATH_SHOWN_MAX;
}

static enum err_code
take_parameter(const char *kind, struct bytes raw, char *out, size_t out_size, struct err *err)
{
    uint8_t decoded[NAME_BYTES_MAX * 3 + 1];
    size_t size;

    if (raw.size >= sizeof decoded)
        return err_set(err, ERR_INVALID_ARGUMENT, "the %s name has more than %zu bytes", kind,
                       out_size - 1);
    size = api_target_decode(raw, decoded);
    if (size >= out_size)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the %s name has %zu bytes, at most %zu are legal", kind, size,
                       out_size - 1);
    memcpy(out, decoded, size);
    out[size] = '\0';
    return OK;
}

static enum err_code
take_name(const struct node *node, struct bytes raw, bool may_have_output, struct api_match *out,
          struct err *err)
{
    if (may_have_output && raw.size > 2 && memcmp(raw.data + raw.size - 2, ":0", 2) == 0)
        raw.size -= 2;
    TRY(take_parameter(node->names, raw, out->path.name, sizeof out->path.name, err));
    return name_check(node->names, out->path.name, err);
}

static enum err_code
take_key(struct bytes raw, struct api_match *out, struct err *err)
{
    TRY(take_parameter("key", raw, out->path.key, sizeof out->path.key, err));
    return accumulation_check_key("key", out->path.key, err);
}

/* Where the last segment of `path` begins: its slash. */
static size_t
last_segment(struct bytes path)
{
    size_t at = path.size;

    while (at > 0 && path.data[at - 1] != '/')
        at--;
    return at == 0 ? 0 : at - 1;
}

/* What stands behind a name: nothing, or the last one or two segments of `rest`, which begins with
 * a slash, where a template has them. *name_size: of the name with its slash. */
static enum err_code
behind_name(const struct node *name, struct bytes rest, const struct node **out, size_t *name_size,
            struct api_match *match, struct err *err)
{
    size_t last = last_segment(rest), before = last_segment(bytes_of(rest.data, last));
    struct bytes tail = bytes_of(rest.data + last + 1, rest.size - last - 1);
    const struct node *found = last == 0 ? NULL : find_literal(name, tail);

    *out = name;
    *name_size = rest.size;
    if (found != NULL && found->leaves != NULL) {
        *out = found;
        *name_size = last;
        return OK;
    }
    if (before == 0)
        return OK;
    found = find_literal(name, bytes_of(rest.data + before + 1, last - before - 1));
    if (found == NULL || found->parameter == NULL)
        return OK;
    *out = found->parameter;
    *name_size = before;
    return take_key(tail, match, err);
}

/* The verbs there are, each once, in the table's order. */
static size_t
verbs_of(const struct node *node, const char *out[static VERBS_MAX])
{
    size_t count = 0;

    for (const struct leaf *leaf = node->leaves; leaf != NULL; leaf = leaf->next) {
        bool again = leaf->verb.size == 0;

        for (size_t i = 0; i < count && !again; i++)
            again = bytes_equal(bytes_of_text(out[i]), leaf->verb);
        if (again)
            continue;
        CHECK(count < VERBS_MAX);
        memmove(out + 1, out, count++ * sizeof *out); /* leaves begin with the last route */
        out[0] = (const char *)leaf->verb.data;
    }
    return count;
}

static enum err_code
unknown_verb(const struct node *node, struct bytes verb, struct err *err)
{
    char text[PATH_SHOWN_MAX + 1], known[512] = "";
    const char *verbs[VERBS_MAX], *near;
    size_t used = 0, count = verbs_of(node, verbs);

    for (size_t i = 0; i < count && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s:%s", i > 0 ? ", " : "",
                                 verbs[i]);
    if (verb.size == 0)
        return err_set(err, ERR_NOT_FOUND, "this path needs one of the verbs %s", known);
    snprintf(text, sizeof text, "%.*s", shown(verb), (const char *)verb.data);
    near = api_nearest_name(text, verbs, count);
    if (near != NULL)
        return err_set(err, ERR_NOT_FOUND, "there is no verb ':%s' here: did you mean ':%s'?", text,
                       near);
    return err_set(err, ERR_NOT_FOUND, "there is no verb ':%s' here%s%s", text,
                   used > 0 ? ", only " : "", known);
}

static void
allow(char *out, enum api_method method)
{
    const char *name = method_names[method];
    size_t used = strlen(out);

    CHECK(used + strlen(name) + 3 < API_ALLOW_BYTES_MAX);
    snprintf(out + used, API_ALLOW_BYTES_MAX - used, "%s%s", used > 0 ? ", " : "", name);
}

static enum err_code
choose(const struct node *node, struct bytes verb, enum api_method method, struct api_match *out,
       struct err *err)
{
    enum api_method wanted = method == METHOD_HEAD ? METHOD_GET : method;
    bool known = false;

    out->route = NULL;
    out->allow[0] = '\0';
    for (size_t m = 0; m < METHOD_OPTIONS; m++) {
        for (const struct leaf *leaf = node->leaves; leaf != NULL; leaf = leaf->next) {
            if (!bytes_equal(leaf->verb, verb) || leaf->route->method != m)
                continue;
            known = true;
            allow(out->allow, (enum api_method)m);
            if (m == METHOD_GET)
                allow(out->allow, METHOD_HEAD);
            if (m == wanted)
                out->route = leaf->route;
        }
    }
    if (!known)
        return unknown_verb(node, verb, err);
    allow(out->allow, METHOD_OPTIONS);
    if (out->route == NULL && method != METHOD_OPTIONS)
        return err_set(err, ERR_METHOD_NOT_ALLOWED, "%s is not allowed here, only %s",
                       method_names[method], out->allow);
    return OK;
}

static enum err_code
no_path(struct bytes path, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "there is no path '%.*s'", shown(path),
                   (const char *)path.data);
}

enum err_code
api_router_match(const struct api_router *router, enum api_method method, struct bytes path,
                 struct api_match *out, struct err *err)
{
    struct bytes verb, left = cut_verb(path, &verb);
    const struct node *node = &router->root;

    if (left.size < path.size && verb.size == 0)
        return err_set(err, ERR_NOT_FOUND, "the path ends with a ':' and no verb");

    out->path.model[0] = out->path.name[0] = out->path.key[0] = '\0';
    while (left.size > 0) {
        struct bytes whole = left, segment = cut_segment(&left);
        const struct node *next = find_literal(node, segment);

        if (next == NULL)
            next = node->parameter;
        if (next == NULL && segment.size == 0 && path.size > 1)
            return err_set(err, ERR_INVALID_ARGUMENT, "the path ends with a '/'");
        if (next == NULL)
            return no_path(path, err);
        if (next->kind == NODE_MODEL) {
            TRY(take_parameter("model", segment, out->path.model, sizeof out->path.model, err));
            TRY(name_check_model(out->path.model, err));
        } else if (next->kind == NODE_NAME) {
            bool output = strcmp(next->names, "variable") == 0;
            const struct node *end = NULL;
            size_t name_size = 0;

            /* "w:0" is w, once: after it has been taken for the verb, the name has none. */
            if (output && verb.size == 1 && verb.data[0] == '0') {
                verb = bytes_of("", 0);
                output = false;
            }
            TRY(behind_name(next, whole, &end, &name_size, out, err));
            TRY(take_name(next, bytes_of(whole.data + 1, name_size - 1), output, out, err));
            node = end;
            break;
        }
        node = next;
    }
    return node->leaves == NULL ? no_path(path, err) : choose(node, verb, method, out, err);
}
