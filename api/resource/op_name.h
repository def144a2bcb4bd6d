/* What a write is called where others are told of it: "assign_add", "save", "delete". */
#ifndef API_RESOURCE_OP_NAME_H
#define API_RESOURCE_OP_NAME_H

#include "api/router.h"

/* Static. */
const char *api_op_name(const struct api_route *route);

#endif
