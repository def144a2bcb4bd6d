/* Arrays as NumPy's print shows them (1.14 and later, with its defaults): 75 columns, at most 1000
 * elements whole, of longer ones 3 at either end of each dimension. */
#ifndef API_JSON_NUMPY_TEXT_H
#define API_JSON_NUMPY_TEXT_H

#include "service/tensor/corners.h"

enum { API_NUMPY_ELEMENTS_MAX = 1000, API_NUMPY_EDGE = 3 };

/* Appends the text, without a newline at its end. `corners` is of API_NUMPY_ELEMENTS_MAX and
 * API_NUMPY_EDGE; `data` holds the kept elements, row-major; of a string 4-byte little-endian
 * length and bytes each. What NumPy does not know is shown by what holds it: bfloat16 and the 8-bit
 * floats as float32, quantized integers as integers, strings as bytes objects. */
ERR_MUST_CHECK enum err_code api_numpy_text(enum dtype dtype, const struct tensor_corners *corners,
                                            struct bytes data, struct buf *out, struct err *err);

#endif
