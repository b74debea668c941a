/* Included before every source of llama.cpp, see machine.py.
 *
 * GCC 12 tells its optimizer that ldtilecfg reads the first 8 bytes of its operand, where
 * it reads 64 (_tile_loadconfig in amxtileintrin.h). The stores to the rest are then left out, and
 * on a processor with AMX the first matrix product of a quantized model ends in a segmentation
 * fault (https://github.com/ggml-org/llama.cpp/pull/26954).
 */
#if defined(__GNUC__) && !defined(__clang__) && defined(__AMX_TILE__)
#include <immintrin.h>
struct tile_config_bytes { char all[64]; };
#define _tile_loadconfig(config) \
    __asm__ volatile("ldtilecfg\t%X0" ::"m"(*(const struct tile_config_bytes *)(config)))
#endif
