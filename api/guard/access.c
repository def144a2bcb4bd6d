#include "api/guard/access.h"

#include "store/base/alloc.h"
#include "store/base/check.h"

enum sight { SIGHT_OWN, SIGHT_ALL };

static const struct {
    const char *operation_id;
    struct api_access access;
} exceptions[] = {
#define ACCESS(operation_id, scope, sight)                                                         \
    {#operation_id, {SCOPE_##scope, SIGHT_##sight == SIGHT_ALL}},
#include "api/guard/access.def"
#undef ACCESS
};

static struct api_access
implied(const struct api_route *route)
{
    return (struct api_access){route->method == METHOD_GET ? SCOPE_READ : SCOPE_WRITE,
                               strstr(route->path, "{model}") == NULL};
}

enum err_code
api_access_of(const struct api_route *routes, size_t count, struct api_access **out,
              struct err *err)
{
    struct api_access *access = mem_zeroed(count, sizeof *access, err);

    if (access == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        access[i] = implied(&routes[i]);
    for (size_t k = 0; k < sizeof exceptions / sizeof *exceptions; k++) {
        size_t i = 0;

        while (i < count && strcmp(routes[i].operation_id, exceptions[k].operation_id) != 0)
            i++;
        CHECK(i < count);
        access[i] = exceptions[k].access;
    }
    *out = access;
    return OK;
}
