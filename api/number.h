/* Numbers as text: exact both ways, no locale.
 * Scanning: JSON's number grammar, correctly rounded to the target type (once, also for float32, float16
 * and bfloat16). Printing: the shortest digits that read back to the same bits. */
#ifndef API_NUMBER_H
#define API_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the JSON number that text begins with; 0 when there is none. */
size_t api_number_length(const char *text, size_t size);
bool api_number_is_integer(const char *text, size_t length); /* no fraction, no exponent */

/* text[0, length) is one JSON number. False: out of range (for floats: overflows to infinity). */
bool api_number_i64(const char *text, size_t length, int64_t *out);
bool api_number_u64(const char *text, size_t length, uint64_t *out);
bool api_number_f64(const char *text, size_t length, double *out);
bool api_number_f32(const char *text, size_t length, float *out);
bool api_number_f16(const char *text, size_t length, uint16_t *out);
bool api_number_bf16(const char *text, size_t length, uint16_t *out);

enum { API_NUMBER_BYTES_MAX = 32 };
/* Finite values only. Write without NUL, return the length. Always a valid JSON number, and one that keeps
 * its kind: 1.0 prints "1.0", not "1". */
size_t api_number_print_f64(double value, char out[static API_NUMBER_BYTES_MAX]);
size_t api_number_print_f32(float value, char out[static API_NUMBER_BYTES_MAX]);
size_t api_number_print_f16(uint16_t bits, char out[static API_NUMBER_BYTES_MAX]);
size_t api_number_print_bf16(uint16_t bits, char out[static API_NUMBER_BYTES_MAX]);
size_t api_number_print_i64(int64_t value, char out[static API_NUMBER_BYTES_MAX]);
size_t api_number_print_u64(uint64_t value, char out[static API_NUMBER_BYTES_MAX]);

#endif
