#include "store/base/check.h"

#include <stdio.h>
#include <stdlib.h>

void
check_failed(const char *condition, const char *where)
{
    fprintf(stderr, "bug: CHECK(%s) failed at %s\n", condition, where);
    abort();
}
