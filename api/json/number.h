/* Numbers as text: exact both ways, no locale.
 * Scanning: JSON's number grammar, correctly rounded to the target type (once, also for float32,
 * float16, bfloat16 and the 8-bit floats). Printing: the shortest digits that read back to the same
 * bits. */
#ifndef API_JSON_NUMBER_H
#define API_JSON_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { API_NUMBER_DIGITS_MAX = 19 }; /* as many as 64 bits always hold */

/* One JSON number, taken apart: digits * 10^exponent. Borrows the text. */
struct api_number {
    const char *text;
    size_t length;    /* of the number */
    uint64_t digits;  /* the first API_NUMBER_DIGITS_MAX significant ones */
    int64_t exponent; /* of `digits` */
    bool negative;
    bool integer; /* no fraction, no exponent */
    bool more;    /* a digit that is not zero was left out of `digits` */
};

/* The number that text begins with. Returns its length, 0 when there is none (*out untouched). */
size_t api_number_scan(const char *text, size_t size, struct api_number *out);

/* False: out of range (for floats: overflows to infinity; for integers also: not an integer). */
bool api_number_as_i64(const struct api_number *number, int64_t *out);
bool api_number_as_u64(const struct api_number *number, uint64_t *out);
bool api_number_as_f64(const struct api_number *number, double *out);
bool api_number_as_f32(const struct api_number *number, float *out);
bool api_number_as_f16(const struct api_number *number, uint16_t *out);
bool api_number_as_bf16(const struct api_number *number, uint16_t *out);
bool api_number_as_f8_e4m3fn(const struct api_number *number, uint8_t *out);
bool api_number_as_f8_e5m2(const struct api_number *number, uint8_t *out);

/* The length of the JSON number that text begins with; 0 when there is none. */
size_t api_number_length(const char *text, size_t size);

/* text[0, length) is one JSON number. False as above. */
bool api_number_i64(const char *text, size_t length, int64_t *out);
bool api_number_u64(const char *text, size_t length, uint64_t *out);
bool api_number_f64(const char *text, size_t length, double *out);

enum { API_NUMBER_BYTES_MAX = 32 };
/* Finite values only. Write without NUL, return the length. Always a valid JSON number, and one
 * that keeps its kind: 1.0 prints "1.0", not "1". */
size_t api_number_print_f64(double value, char out[static API_NUMBER_BYTES_MAX]);
size_t api_number_print_f32(float value, char out[static API_NUMBER_BYTES_MAX]);
size_t api_number_print_f16(uint16_t bits, char out[static API_NUMBER_BYTES_MAX]);
size_t api_number_print_bf16(uint16_t bits, char out[static API_NUMBER_BYTES_MAX]);
size_t api_number_print_f8_e4m3fn(uint8_t bits, char out[static API_NUMBER_BYTES_MAX]);
size_t api_number_print_f8_e5m2(uint8_t bits, char out[static API_NUMBER_BYTES_MAX]);
size_t api_number_print_i64(int64_t value, char out[static API_NUMBER_BYTES_MAX]);
size_t api_number_print_u64(uint64_t value, char out[static API_NUMBER_BYTES_MAX]);

/* The same digits alone, of the value without its sign: 0.<digits> * 10^*point, no zero behind
 * them. Returns how many; none of 0. Finite values only. */
int api_number_digits_f64(double value, char out[static API_NUMBER_BYTES_MAX], int *point);
int api_number_digits_f32(float value, char out[static API_NUMBER_BYTES_MAX], int *point);
int api_number_digits_f16(uint16_t bits, char out[static API_NUMBER_BYTES_MAX], int *point);

#endif
