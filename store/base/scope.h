/* Cleanup bound to the scope.
 *
 *     AUTO(tensor) t = {0};      tensor_drop(&t) runs when t leaves scope, on every path
 *     give(TAKE(t));             moves t out: the scope's copy is zeroed, its drop does nothing
 *
 * Every x_drop accepts an already dropped (zeroed) value. */
#ifndef STORE_BASE_SCOPE_H
#define STORE_BASE_SCOPE_H

#include <string.h>

#define AUTO(type)          __attribute__((cleanup(type##_drop))) struct type
#define AUTO_CALL(function) __attribute__((cleanup(function)))

#define TAKE(lvalue)                                                                               \
    __extension__({                                                                                \
        __typeof__(lvalue) taken_ = (lvalue);                                                      \
        memset(&(lvalue), 0, sizeof(lvalue));                                                      \
        taken_;                                                                                    \
    })

#endif
