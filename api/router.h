/* From method and path to a handler. The table is api/routes.def. */
#ifndef API_ROUTER_H
#define API_ROUTER_H

#include "api/request.h"
#include "service/name.h"
#include "service/record/record_accumulation.h"

enum api_method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_COUNT
};
enum api_run { RUN_INLINE, RUN_WORKER };
enum api_body_kind { BODY_NONE, BODY_JSON, BODY_STREAM, BODY_EITHER };

struct api_route {
    enum api_method method;
    const char *path; /* "/v1/models/{model}/variables/{name}:assign" */
    const char *operation_id;
    api_handler *handler;
    enum api_run run;
    enum api_body_kind body;
    const char *query; /* names separated by '|' */
};

/* api/routes.def as a table. */
extern const struct api_route api_routes[];
extern const size_t api_route_count;

struct api_path {
    char model[NAME_MODEL_BYTES_MAX + 1];
    char name[NAME_BYTES_MAX + 1];
    char key[ACCUMULATION_KEY_BYTES_MAX + 1];
};

enum { API_ALLOW_BYTES_MAX = 64 };

struct api_match {
    const struct api_route *route; /* NULL for OPTIONS */
    struct api_path path;
    char allow[API_ALLOW_BYTES_MAX]; /* with OPTIONS and ERR_METHOD_NOT_ALLOWED */
};

struct api_router;

/* {model} and {key} are one segment, {name} the rest of the path, up to what stands behind it in a
 * template: of a name that ends like that the slash before it is written %2F. Literal segments go
 * before all of them. Borrows
 * `routes`. Owned by the caller. A template the router cannot tell from another is a bug of ours.
 */
ERR_MUST_CHECK enum err_code api_router_open(const struct api_route *routes, size_t count,
                                             struct api_router **out, struct err *err);
void api_router_drop(struct api_router *router); /* NULL is fine */

/* `path` has passed api_target_split. HEAD finds GET. ERR_NOT_FOUND (for an unknown verb with the
 * verbs there are), ERR_METHOD_NOT_ALLOWED, ERR_INVALID_ARGUMENT for an illegal name. */
ERR_MUST_CHECK enum err_code api_router_match(const struct api_router *router,
                                              enum api_method method, struct bytes path,
                                              struct api_match *out, struct err *err);

const char *api_method_name(enum api_method method);
/* False for a method this server does not know. */
bool api_method_of(const char *name, enum api_method *out);

#endif
