#include "api/resource/op_name.h"

#include <string.h>

/* Routes whose verb, or method, does not say it. */
static const struct {
    const char *operation_id, *name;
} others[] = {
    {"createModel", "create"},      {"createVariables", "create"}, {"putVariable", "assign"},
    {"putValue", "assign"},         {"putValues", "assign"},       {"saveCheckpoint", "save"},
    {"importCheckpoint", "import"},
};

const char *
api_op_name(const struct api_route *route)
{
    const char *colon = strrchr(route->path, ':');

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(others[i].operation_id, route->operation_id) == 0)
            return others[i].name;
    if (colon != NULL)
        return colon + 1;
    if (route->method == METHOD_DELETE)
        return "delete";
    return route->method == METHOD_PATCH ? "patch" : "put";
}
