/* How loops over elements are compiled.
 *
 * VECTOR_CLONES   compile the function for AVX2 and for the base instruction set; the loader picks.
 * The bits do not depend on the choice: AVX2 alone brings no fused multiply-add. VECTOR_LOOP before
 * a loop whose iterations read only what they themselves overwrite, so that the compiler vectorises
 * it without a check for overlap. A file of such loops starts with VECTOR_FILE, which asks gcc for
 * its vectoriser. Sanitizer builds and compilers without function clones get the plain loop. */
#ifndef SERVICE_TENSOR_VECTOR_H
#define SERVICE_TENSOR_VECTOR_H

#if defined(__clang__)
#define VECTOR_FILE
#define VECTOR_CLONES
#define VECTOR_LOOP
#elif defined(__OPTIMIZE__) && defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) &&            \
    !defined(__SANITIZE_THREAD__)
#define VECTOR_FILE   _Pragma("GCC optimize(\"O3\", \"no-trapping-math\")")
#define VECTOR_CLONES __attribute__((target_clones("avx2", "default")))
#define VECTOR_LOOP   _Pragma("GCC ivdep")
#else
#define VECTOR_FILE
#define VECTOR_CLONES
#define VECTOR_LOOP _Pragma("GCC ivdep")
#endif

#endif
