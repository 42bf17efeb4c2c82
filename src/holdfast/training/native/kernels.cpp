// What torch makes several passes over memory for, in one: first convolution + bias + ReLU + pooling, ReLU + pooling,
// batch normalization + sum + ReLU, dropout, softmax + cross-entropy, and the optimizers.
//
// Tensors are NHWC and dense.  T is float or bf16; sums are float or double.  Work is cut by images or rows into one
// piece a thread, so results depend on the number of threads in the last digits, and on nothing else.
// native/__init__.py calls these by ctypes: plain C, so that one build serves every version of torch.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#else
static int omp_get_thread_num() { return 0; }
static int omp_get_num_threads() { return 1; }
#endif

namespace {

struct bf16 {
    uint16_t bits;
};

#if defined(__AVX512F__)
constexpr int WIDE = 16, NARROW = 8;  // floats in a vector: wider ones than the processor has are very slow
#elif defined(__AVX__)
constexpr int WIDE = 8, NARROW = 8;
#else
constexpr int WIDE = 4, NARROW = 4;
#endif

template <int V> struct Vectors {
    typedef float F __attribute__((vector_size(4 * V), aligned(4), may_alias));
    typedef int32_t I __attribute__((vector_size(4 * V), aligned(4), may_alias));
    typedef uint32_t U __attribute__((vector_size(4 * V), aligned(4), may_alias));
    typedef uint16_t H __attribute__((vector_size(2 * V), aligned(2), may_alias));
    typedef uint8_t B __attribute__((vector_size(V), aligned(1), may_alias));
};
template <int V> using F = typename Vectors<V>::F;
template <int V> using I = typename Vectors<V>::I;

template <int V> inline F<V> load(const float* p) { return *reinterpret_cast<const F<V>*>(p); }
template <int V> inline F<V> load(const bf16* p) {
    typedef typename Vectors<V>::U U;
    U wide = __builtin_convertvector(*reinterpret_cast<const typename Vectors<V>::H*>(p), U) << 16;
    return (F<V>)wide;
}
template <int V> inline void store(float* p, F<V> v) { *reinterpret_cast<F<V>*>(p) = v; }
template <int V> inline void store(bf16* p, F<V> v) {  // to the nearest, ties to even; NaN stays NaN
    typedef typename Vectors<V>::U U;
    U u = (U)v;
    U rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
    U nan = (u >> 16) | 0x40;
    *reinterpret_cast<typename Vectors<V>::H*>(p) =
        __builtin_convertvector((v != v) ? nan : rounded, typename Vectors<V>::H);
}
inline float one(const float* p) { return *p; }
inline float one(const bf16* p) {
    uint32_t wide = uint32_t(p->bits) << 16;
    float value;
    std::memcpy(&value, &wide, 4);
    return value;
}

struct Slice {
    int64_t begin, end;
};
inline Slice mine(int64_t n) {  // this thread's share of n things
    int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
    return {n * thread / threads, n * (thread + 1) / threads};
}

// ---- pooling ------------------------------------------------------------------------------------------------------

// As native/__init__.py fills it: n images of h x w; after a convolution by k x k, with padding, oh x ow x co; after
// pooling by windows of ph x pw oh/ph x ow/pw.
struct Geometry {
    int64_t n, h, w, oh, ow, co, k, top, left, ph, pw;
};

constexpr uint8_t NOBODY = 255;  // ReLU cuts off all of a window

// One row of windows, after ReLU: `rows` are ph rows of `ow` pixels.  The first of equal values wins, NaN before all.
template <int V, class S, class T>
void pool_row(const S* rows, T* out, uint8_t* winners, const Geometry& g) {
    const int64_t columns = g.ow / g.pw;
    for (int64_t x = 0; x < columns; x++)
        for (int64_t c = 0; c < g.co; c += V) {
            F<V> best{};
            I<V> winner = NOBODY - I<V>{};
            for (int64_t dy = 0; dy < g.ph; dy++)
                for (int64_t dx = 0; dx < g.pw; dx++) {
                    F<V> value = load<V>(rows + (dy * g.ow + x * g.pw + dx) * g.co + c);
                    I<V> better = (value > best) | (value != value);
                    best = better ? value : best;
                    winner = better ? int32_t(dy * g.pw + dx) - I<V>{} : winner;
                }
            store<V>(out + x * g.co + c, best);
            *reinterpret_cast<typename Vectors<V>::B*>(winners + x * g.co + c) =
                __builtin_convertvector(winner, typename Vectors<V>::B);
        }
}

// The gradient of a row of windows back to its ph rows of pixels; those outside of all windows get 0.
template <int V, class S, class T>
void spread_row(const S* gradient, const uint8_t* winners, T* rows, const Geometry& g) {
    const int64_t columns = g.ow / g.pw;
    for (int64_t x = 0; x < columns; x++)
        for (int64_t c = 0; c < g.co; c += V) {
            F<V> value = load<V>(gradient + x * g.co + c);
            I<V> winner = __builtin_convertvector(
                *reinterpret_cast<const typename Vectors<V>::B*>(winners + x * g.co + c), I<V>);
            for (int64_t dy = 0; dy < g.ph; dy++)
                for (int64_t dx = 0; dx < g.pw; dx++)
                    store<V>(rows + (dy * g.ow + x * g.pw + dx) * g.co + c,
                             winner == int32_t(dy * g.pw + dx) ? value : F<V>{});
        }
    for (int64_t dy = 0; columns * g.pw < g.ow && dy < g.ph; dy++)
        std::memset(rows + (dy * g.ow + columns * g.pw) * g.co, 0, (g.ow - columns * g.pw) * g.co * sizeof(T));
}

template <int V, class T>
void pool_forward(const T* x, T* y, uint8_t* winners, const Geometry& g, int threads) {
    const int64_t rows = g.oh / g.ph, size = g.ow / g.pw * g.co;
#pragma omp parallel num_threads(threads)
    for (auto [i, end] = mine(g.n * rows); i < end; i++)
        pool_row<V>(x + (i / rows * g.oh + i % rows * g.ph) * g.ow * g.co, y + i * size, winners + i * size, g);
}

template <int V, class T>
void pool_backward(const T* gradient, const uint8_t* winners, T* dx, const Geometry& g, int threads) {
    const int64_t rows = g.oh / g.ph, size = g.ow / g.pw * g.co, line = g.ow * g.co;
#pragma omp parallel num_threads(threads)
    for (auto [n, end] = mine(g.n); n < end; n++) {
        T* image = dx + n * g.oh * line;
        for (int64_t y = 0; y < rows; y++)
            spread_row<V>(gradient + (n * rows + y) * size, winners + (n * rows + y) * size, image + y * g.ph * line, g);
        std::memset(image + rows * g.ph * line, 0, (g.oh - rows * g.ph) * line * sizeof(T));
    }
}

// ---- first block: convolution of one channel, bias, ReLU, pooling --------------------------------------------------

template <int V, int P, int K>
inline void conv_pixels(const float* x, const float* w, const float* bias, float* out, int64_t co, int64_t side) {
    F<V> sums[P];
    for (int p = 0; p < P; p++) sums[p] = load<V>(bias);
    for (int y = 0; y < K; y++)
        for (int t = 0; t < K; t++, w += co) {
            const F<V> weight = load<V>(w);
            const float* at = x + y * side + t;
#pragma GCC unroll 16
            for (int p = 0; p < P; p++) sums[p] += weight * at[p];
        }
    for (int p = 0; p < P; p++) store<V>(out + p * co, sums[p]);
}

// One row of outputs, (ow, co).  w: (K * K, co).
template <int V, int K>
void conv_row(const float* x, const float* w, const float* bias, float* out, const Geometry& g, int64_t side) {
    constexpr int P = V == 16 ? 14 : 6;  // sums that fit into the registers
    for (int64_t c = 0; c < g.co; c += V) {
        if (g.ow < P)
            for (int64_t p = 0; p < g.ow; p++)
                conv_pixels<V, 1, K>(x + p, w + c, bias + c, out + p * g.co + c, g.co, side);
        else
            for (int64_t p = 0; p < g.ow; p += P) {
                const int64_t at = std::min(p, g.ow - P);  // the last ones may be computed twice
                conv_pixels<V, P, K>(x + at, w + c, bias + c, out + at * g.co + c, g.co, side);
            }
    }
}

// Adds to dw (K * K + 1, co), the bias last, the share of row `dy` of a row of windows.
template <int V, int K, class T>
void weight_row(const float* x, const T* gradient, const uint8_t* winners, int64_t dy, float* dw, const Geometry& g,
                int64_t side) {
    typedef typename Vectors<V>::B B;
    for (int64_t c = 0; c < g.co; c += V) {
        F<V> sums[K * K], bias = load<V>(dw + K * K * g.co + c);
        for (int t = 0; t < K * K; t++) sums[t] = load<V>(dw + t * g.co + c);
        const float* at = x;
        for (int64_t i = c; i < g.ow / g.pw * g.co; i += g.co) {
            const F<V> value = load<V>(gradient + i);
            const I<V> winner = __builtin_convertvector(*reinterpret_cast<const B*>(winners + i), I<V>);
            for (int64_t dx = 0; dx < g.pw; dx++, at++) {
                const F<V> share = winner == int32_t(dy * g.pw + dx) ? value : F<V>{};
                bias += share;
#pragma GCC unroll 5
                for (int y = 0; y < K; y++)
#pragma GCC unroll 5
                    for (int t = 0; t < K; t++) sums[y * K + t] += share * at[y * side + t];
            }
        }
        for (int t = 0; t < K * K; t++) store<V>(dw + t * g.co + c, sums[t]);
        store<V>(dw + K * K * g.co + c, bias);
    }
}

struct Canvas {  // where images are widened to floats, with zeros around them
    int64_t side;
    std::vector<float> pixels;

    explicit Canvas(const Geometry& g) : side(std::max(g.ow - 1 + g.k, g.left + g.w)) {
        pixels.assign(std::max(g.oh - 1 + g.k, g.top + g.h) * side, 0.0f);
    }

    // x * scale + offset
    template <class X> void fill(const X* x, const Geometry& g, float scale, float offset) {
        for (int64_t y = 0; y < g.h; y++)
            for (int64_t i = 0; i < g.w; i++)
                pixels[(y + g.top) * side + g.left + i] = float(x[y * g.w + i]) * scale + offset;
    }
};

template <int V, int K, class X, class T>
void block_forward(const X* x, const float* w, const float* bias, float scale, float offset, T* y, uint8_t* winners,
                   const Geometry& g, int threads) {
    const int64_t rows = g.oh / g.ph, size = g.ow / g.pw * g.co, line = g.ow * g.co;
#pragma omp parallel num_threads(threads)
    {
        Canvas canvas(g);
        std::vector<float> out(g.ph * line);
        for (auto [n, end] = mine(g.n); n < end; n++) {
            canvas.fill(x + n * g.h * g.w, g, scale, offset);
            for (int64_t r = 0, at = n * rows * size; r < rows; r++, at += size) {
                for (int64_t d = 0; d < g.ph; d++)
                    conv_row<V, K>(&canvas.pixels[(r * g.ph + d) * canvas.side], w, bias, &out[d * line], g, canvas.side);
                pool_row<V>(out.data(), y + at, winners + at, g);
            }
        }
    }
}

// dw: (threads, K * K + 1, co), zeros, of which the first becomes the sum; the last row of each is the bias's.
template <int V, int K, class X, class T>
void block_backward(const X* x, const T* gradient, const uint8_t* winners, float scale, float offset, float* dw,
                    const Geometry& g, int threads) {
    const int64_t rows = g.oh / g.ph, size = g.ow / g.pw * g.co, weights = (K * K + 1) * g.co;
#pragma omp parallel num_threads(threads)
    {
        Canvas canvas(g);
        std::vector<float> image(weights);
        float* total = dw + omp_get_thread_num() * weights;
        for (auto [n, end] = mine(g.n); n < end; n++) {
            canvas.fill(x + n * g.h * g.w, g, scale, offset);
            std::fill(image.begin(), image.end(), 0.0f);  // sums of sums: fewer digits are lost
            for (int64_t r = 0, at = n * rows * size; r < rows; r++, at += size)
                for (int64_t d = 0; d < g.ph; d++)
                    weight_row<V, K>(&canvas.pixels[(r * g.ph + d) * canvas.side], gradient + at, winners + at, d,
                                     image.data(), g, canvas.side);
            for (int64_t i = 0; i < weights; i++) total[i] += image[i];
        }
    }
    for (int64_t i = weights; i < threads * weights; i++) dw[i % weights] += dw[i];
}

// ---- batch normalization, sum and ReLU ------------------------------------------------------------------------------

constexpr int64_t CHUNK = 128;  // rows that are added up in float before they go to double

// Adds up two functions of every row, channel by channel: sums are (threads, 2, c) doubles.
template <class Rows>
void two_sums(int64_t rows, int64_t c, double* sums, int threads, Rows at) {
#pragma omp parallel num_threads(threads)
    {
        double* mine_ = sums + omp_get_thread_num() * 2 * c;
        auto [begin, end] = mine(rows);
        for (int64_t r0 = begin; r0 < end; r0 += CHUNK)
            for (int64_t k = 0; k < c; k += WIDE) {
                F<WIDE> first{}, second{};
                for (int64_t r = r0; r < std::min(r0 + CHUNK, end); r++) {
                    auto [a, b] = at(r, k);
                    first += a;
                    second += b;
                }
                for (int i = 0; i < WIDE; i++) {
                    mine_[k + i] += first[i];
                    mine_[c + k + i] += second[i];
                }
            }
    }
    for (int t = 1; t < threads; t++)
        for (int64_t i = 0; i < 2 * c; i++) sums[i] += sums[t * 2 * c + i];
}

struct Pair {
    F<WIDE> a, b;
};

// mean and var (biased) of x (rows, c); and (x - mean) / sqrt(var + epsilon) * gamma + beta as x * a + b, in scales
// (3, c): 1 / sqrt(...), a and b.  gamma and beta may be missing.
template <class T>
void norm_statistics(const T* x, const float* gamma, const float* beta, float epsilon, float* mean, float* var,
                     float* scales, int64_t rows, int64_t c, int threads) {
    std::vector<double> sums(threads * 2 * c);
    std::vector<float> shift(c);  // near the mean, so that squares do not cancel
    for (int64_t k = 0; k < c; k++) {
        for (int64_t r = 0; r < std::min<int64_t>(rows, 16); r++) shift[k] += one(x + r * c + k);
        shift[k] /= std::min<int64_t>(rows, 16);
    }
    two_sums(rows, c, sums.data(), threads, [&](int64_t r, int64_t k) {
        F<WIDE> d = load<WIDE>(x + r * c + k) - load<WIDE>(&shift[k]);
        return Pair{d, d * d};
    });
    for (int64_t k = 0; k < c; k++) {
        double m = sums[k] / rows;
        mean[k] = float(shift[k] + m);
        var[k] = float(std::max(sums[c + k] / rows - m * m, 0.0));  // in this order NaN stays
        const float inverse = 1 / std::sqrt(var[k] + epsilon), a = gamma ? gamma[k] * inverse : inverse;
        scales[k] = inverse;
        scales[c + k] = a;
        scales[2 * c + k] = (beta ? beta[k] : 0) - mean[k] * a;
    }
}

// y = x * a + b (+ other) (then ReLU).
template <class T>
void norm_apply(const T* x, const T* other, const float* a, const float* b, T* y, int64_t rows, int64_t c, bool relu,
                int threads) {
#pragma omp parallel num_threads(threads)
    for (auto [r, end] = mine(rows); r < end; r++)
        for (int64_t k = 0; k < c; k += WIDE) {
            F<WIDE> v = load<WIDE>(x + r * c + k) * load<WIDE>(a + k) + load<WIDE>(b + k);
            if (other) v += load<WIDE>(other + r * c + k);
            if (relu) v = v < 0 ? F<WIDE>{} : v;  // NaN stays
            store<WIDE>(y + r * c + k, v);
        }
}

// A gradient as it comes from one who read (n, height, width, c) images with zeros around them, h x w in all, or every
// `step`-th pixel of them.
struct View {
    int64_t h, w, top, left, step;
};
template <class T> struct Part {
    const T* data;
    View view;

    // The line that belongs to line y of image n; null where there is none.
    const T* line(int64_t n, int64_t y, int64_t c) const {
        if (!data || y % view.step) return nullptr;
        return data + ((n * view.h + view.top + y / view.step) * view.w + view.left) * c;
    }
};

// Adds up g and g * (x - mean), g being the sum of the parts that passes the ReLU, and writes it to `kept` if wanted.
template <class T>
void norm_parts(const T* x, const T* y, const Part<T>& one, const Part<T>& two, T* kept, const float* scale,
                const float* shift, const float* mean, double* sums, int64_t n, int64_t h, int64_t w, int64_t c,
                int threads) {
    const int64_t lines = std::max<int64_t>(1, CHUNK / std::max<int64_t>(1, w));
#pragma omp parallel num_threads(threads)
    {
        double* mine_ = sums + omp_get_thread_num() * 2 * c;
        for (auto [first, end] = mine(n * h); first < end; first += lines)
            for (int64_t k = 0; k < c; k += WIDE) {
                const F<WIDE> m = load<WIDE>(mean + k);
                F<WIDE> sum_g{}, sum_gx{};
                for (int64_t line = first; line < std::min(first + lines, end); line++) {
                    const T *g1 = one.line(line / h, line % h, c), *g2 = two.line(line / h, line % h, c);
                    for (int64_t p = 0; p < w; p++) {
                        const int64_t i = (line * w + p) * c + k;
                        const F<WIDE> value = load<WIDE>(x + i);
                        F<WIDE> g{};
                        if (g1 && p % one.view.step == 0) g = load<WIDE>(g1 + p / one.view.step * c + k);
                        if (g2 && p % two.view.step == 0) g += load<WIDE>(g2 + p / two.view.step * c + k);
                        if (y) g = load<WIDE>(y + i) <= 0 ? F<WIDE>{} : g;
                        if (scale) g = value * load<WIDE>(scale + k) + load<WIDE>(shift + k) <= 0 ? F<WIDE>{} : g;
                        if (kept) store<WIDE>(kept + i, g);
                        sum_g += g;
                        sum_gx += g * (value - m);
                    }
                }
                for (int i = 0; i < WIDE; i++) {
                    mine_[k + i] += sum_g[i];
                    mine_[c + k + i] += sum_gx[i];
                }
            }
    }
}

// The gradients of gamma and beta, in results (5, c), and then what the gradient of x is made of: g * a + x * b + d.
// scales: of norm_statistics; relu: whether x * scale + shift tells what passes; y, where it is there, tells it, too.
template <class T>
void norm_sums(const T* x, const T* y, const Part<T>& one, const Part<T>& two, T* kept, bool relu, const float* mean,
               const float* scales, float* results, int64_t n, int64_t h, int64_t w, int64_t c, int threads) {
    const float *inverse = scales, *scale = scales + c, *shift = scales + 2 * c;
    std::vector<double> sums(threads * 2 * c);
    norm_parts(x, y, one, two, kept, relu ? scale : nullptr, shift, mean, sums.data(), n, h, w, c, threads);
    const float rows = float(n * h * w);
    for (int64_t k = 0; k < c; k++) {
        for (int t = 1; t < threads; t++)
            for (int64_t i : {k, c + k}) sums[i] += sums[t * 2 * c + i];
        const float sum_g = float(sums[k]), sum_gx = float(sums[c + k]), a = scale[k];
        const float b = a * inverse[k] * inverse[k] * sum_gx / -rows;
        results[k] = sum_gx * inverse[k];
        results[c + k] = sum_g;
        results[2 * c + k] = a;
        results[3 * c + k] = b;
        results[4 * c + k] = -b * mean[k] - a * sum_g / rows;
    }
}

// dx = g * a + x * b + d; g being the gradient where x * scale + shift, if it is there, passes the ReLU.
template <class T>
void norm_backward(const T* x, const T* gradient, const float* scale, const float* shift, const float* abd, T* dx,
                   int64_t rows, int64_t c, int threads) {
    const float *a = abd, *b = abd + c, *d = abd + 2 * c;
#pragma omp parallel num_threads(threads)
    for (auto [r, end] = mine(rows); r < end; r++)
        for (int64_t k = 0; k < c; k += WIDE) {
            const F<WIDE> value = load<WIDE>(x + r * c + k);
            F<WIDE> g = load<WIDE>(gradient + r * c + k);
            if (scale) g = value * load<WIDE>(scale + k) + load<WIDE>(shift + k) <= 0 ? F<WIDE>{} : g;
            store<WIDE>(dx + r * c + k, g * load<WIDE>(a + k) + value * load<WIDE>(b + k) + load<WIDE>(d + k));
        }
}

// ---- dropout ----------------------------------------------------------------------------------------------------------

// Number i of the sequence that follows from `seed`: SplitMix64's output (Steele, Lea, Flood 2014), its upper half.
inline uint32_t draw(uint64_t seed, uint64_t i) {
    uint64_t z = seed + (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return uint32_t((z ^ (z >> 31)) >> 32);
}

// y = x * scale where the draw is at least `least`, else 0; the same seed gives the same draws for the gradient.
template <class T>
void dropout(const T* x, T* y, int64_t n, uint64_t seed, uint32_t least, float scale, int threads) {
    constexpr int64_t PIECE = 16 * 16;
#pragma omp parallel num_threads(threads)
    {
        float kept[PIECE];
        for (auto [piece, end] = mine((n + PIECE - 1) / PIECE); piece < end; piece++) {
            const int64_t start = piece * PIECE, size = std::min(PIECE, n - start);
#pragma omp simd
            for (int64_t j = 0; j < PIECE; j++) kept[j] = draw(seed, start + j) >= least ? scale : 0.0f;
            for (int64_t j = 0; j < size; j += WIDE)
                store<WIDE>(y + start + j, load<WIDE>(x + start + j) * load<WIDE>(kept + j));
        }
    }
}

// ---- optimizers -------------------------------------------------------------------------------------------------------

// Calls f(tensor, first, last) for this thread's share of many tensors' numbers.
template <class Function> void shares(int64_t tensors, const int64_t* sizes, int threads, Function f) {
    int64_t total = 0;
    for (int64_t t = 0; t < tensors; t++) total += sizes[t];
    if (total < 1 << 15) threads = 1;
#pragma omp parallel num_threads(threads)
    {
        auto [begin, end] = mine(total);
        for (int64_t t = 0, start = 0; t < tensors; start += sizes[t++]) {
            const int64_t first = std::max(begin - start, int64_t(0)), last = std::min(end - start, sizes[t]);
            if (first < last) f(t, first, last);
        }
    }
}

// ---- cross-entropy ----------------------------------------------------------------------------------------------------

// Whether `label` is the first of the largest of k values; NaN counts as larger than all, as in torch's argmax.
inline bool first_largest(const float* x, int64_t k, int64_t label) {
    const float least = x[label];
    int above = 0;
    if (least != least) {
        for (int64_t j = 0; j < label; j++) above |= x[j] != x[j];
    } else {
        for (int64_t j = 0; j < label; j++) above |= !(x[j] < least);
        for (int64_t j = label + 1; j < k; j++) above |= !(x[j] <= least);
    }
    return !above;
}

// Calls f with a value of the type that `code` names: 0 float, 1 bf16.
template <class Function> void typed(int code, Function f) { code ? f(bf16{}) : f(float{}); }

template <class T> const T* in(const void* p) { return static_cast<const T*>(p); }
template <class T> T* out(void* p) { return static_cast<T*>(p); }

// Channels come in wide vectors where they fill them; they are a multiple of 8.
template <class Function> void vectors(int64_t channels, Function f) {
    if (channels % WIDE == 0)
        f(std::integral_constant<int, WIDE>{});
    else
        f(std::integral_constant<int, NARROW>{});
}

// Calls f for a first block: width of vectors, kernel size, type of the pictures, type of the result.
template <class Function> void blocks(const Geometry& g, int bytes, int type, Function f) {
    vectors(g.co, [&](auto v) {
        typed(type, [&](auto t) {
            auto sized = [&](auto k) { bytes ? f(v, k, uint8_t{}, t) : f(v, k, float{}, t); };
            g.k == 3 ? sized(std::integral_constant<int, 3>{}) : sized(std::integral_constant<int, 5>{});
        });
    });
}

}  // namespace

extern "C" {

void holdfast_pool_forward(const void* x, void* y, uint8_t* winners, const Geometry* g, int type, int threads) {
    vectors(g->co, [&](auto v) {
        typed(type, [&](auto t) {
            typedef decltype(t) T;
            pool_forward<v.value, T>(in<T>(x), out<T>(y), winners, *g, threads);
        });
    });
}

void holdfast_pool_backward(const void* gradient, const uint8_t* winners, void* dx, const Geometry* g, int type,
                            int threads) {
    vectors(g->co, [&](auto v) {
        typed(type, [&](auto t) {
            typedef decltype(t) T;
            pool_backward<v.value, T>(in<T>(gradient), winners, out<T>(dx), *g, threads);
        });
    });
}

void holdfast_block_forward(const void* x, int bytes, const float* w, const float* bias, float scale, float offset,
                            void* y, uint8_t* winners, const Geometry* g, int type, int threads) {
    blocks(*g, bytes, type, [&](auto v, auto k, auto pixel, auto t) {
        typedef decltype(t) T;
        block_forward<v.value, k.value>(in<decltype(pixel)>(x), w, bias, scale, offset, out<T>(y), winners, *g, threads);
    });
}

void holdfast_block_backward(const void* x, int bytes, const void* gradient, const uint8_t* winners, float scale,
                             float offset, float* dw, const Geometry* g, int type, int threads) {
    blocks(*g, bytes, type, [&](auto v, auto k, auto pixel, auto t) {
        block_backward<v.value, k.value>(in<decltype(pixel)>(x), in<decltype(t)>(gradient), winners, scale, offset, dw,
                                         *g, threads);
    });
}

void holdfast_norm_statistics(const void* x, const float* gamma, const float* beta, float epsilon, float* mean,
                              float* var, float* scales, int64_t rows, int64_t c, int type, int threads) {
    typed(type, [&](auto t) {
        norm_statistics(in<decltype(t)>(x), gamma, beta, epsilon, mean, var, scales, rows, c, threads);
    });
}

void holdfast_norm_apply(const void* x, const void* other, const float* a, const float* b, void* y, int64_t rows,
                         int64_t c, int relu, int type, int threads) {
    typed(type, [&](auto t) {
        typedef decltype(t) T;
        norm_apply(in<T>(x), in<T>(other), a, b, out<T>(y), rows, c, relu, threads);
    });
}

void holdfast_norm_sums(const void* x, const void* y, const void* one, const View* of_one, const void* two,
                        const View* of_two, void* kept, int relu, const float* mean, const float* scales,
                        float* results, int64_t n, int64_t h, int64_t w, int64_t c, int type, int threads) {
    typed(type, [&](auto t) {
        typedef decltype(t) T;
        norm_sums(in<T>(x), in<T>(y), Part<T>{in<T>(one), *of_one}, Part<T>{in<T>(two), *of_two}, out<T>(kept), relu,
                  mean, scales, results, n, h, w, c, threads);
    });
}

void holdfast_norm_backward(const void* x, const void* gradient, const float* scale, const float* shift,
                            const float* abd, void* dx, int64_t rows, int64_t c, int type, int threads) {
    typed(type, [&](auto t) {
        typedef decltype(t) T;
        norm_backward(in<T>(x), in<T>(gradient), scale, shift, abd, out<T>(dx), rows, c, threads);
    });
}

// seed, least: see dropout.  n is a multiple of 16.
void holdfast_dropout(const void* x, void* y, int64_t n, uint64_t seed, uint32_t least, float scale, int type,
                      int threads) {
    typed(type, [&](auto t) { dropout(in<decltype(t)>(x), out<decltype(t)>(y), n, seed, least, scale, threads); });
}

// Keras's optimizers; `kept` is the share of each weight that weight decay leaves before its update.
// Adam: m += (g - m) * c1, v += (g * g - v) * c2, w -= m * alpha / (sqrt(v) + epsilon).
void holdfast_adam(float* const* w, float* const* m, float* const* v, const float* const* g, const int64_t* sizes,
                   int64_t tensors, float kept, float alpha, float c1, float c2, float epsilon, int threads) {
    shares(tensors, sizes, threads, [&](int64_t t, int64_t first, int64_t last) {
        float *wt = w[t], *mt = m[t], *vt = v[t];
        const float* gt = g[t];
#pragma omp simd
        for (int64_t i = first; i < last; i++) {
            mt[i] += (gt[i] - mt[i]) * c1;
            vt[i] += (gt[i] * gt[i] - vt[i]) * c2;
            wt[i] = wt[i] * kept - mt[i] * alpha / (std::sqrt(vt[i]) + epsilon);
        }
    });
}

// RMSprop: v = rho * v + rest * g * g, w -= rate * g / sqrt(v + epsilon).
void holdfast_rmsprop(float* const* w, float* const* v, const float* const* g, const int64_t* sizes, int64_t tensors,
                      float kept, float rate, float rho, float rest, float epsilon, int threads) {
    shares(tensors, sizes, threads, [&](int64_t t, int64_t first, int64_t last) {
        float *wt = w[t], *vt = v[t];
        const float* gt = g[t];
#pragma omp simd
        for (int64_t i = first; i < last; i++) {
            vt[i] = rho * vt[i] + rest * gt[i] * gt[i];
            wt[i] = wt[i] * kept - rate * gt[i] / std::sqrt(vt[i] + epsilon);
        }
    });
}

// Momentum: v = momentum * v - rate * g, w += v (nesterov: w += momentum * v - rate * g).
void holdfast_momentum(float* const* w, float* const* v, const float* const* g, const int64_t* sizes, int64_t tensors,
                       float kept, float rate, float momentum, float nesterov, int threads) {
    shares(tensors, sizes, threads, [&](int64_t t, int64_t first, int64_t last) {
        float *wt = w[t], *vt = v[t];
        const float* gt = g[t];
#pragma omp simd
        for (int64_t i = first; i < last; i++) {
            vt[i] = momentum * vt[i] - rate * gt[i];
            wt[i] = wt[i] * kept + (nesterov ? momentum * vt[i] - rate * gt[i] : vt[i]);
        }
    });
}

// Of logits (n, k) and labels: each sample's cross-entropy with smoothed labels, its gradient times `scale`, and the
// losses' mean.  What is not null is added to: `all` by the sum of the losses and n, `right` by how often the label's
// logit is the largest and n.  Gives the number of labels that are no class.  Source: Szegedy et al. 2016 for smoothing.
int64_t holdfast_crossentropy(const float* logits, const int64_t* labels, float* losses, float* gradient, float* mean,
                              double* all, double* right, int64_t n, int64_t k, float smoothing, float scale,
                              int threads) {
    for (int64_t i = 0; i < n; i++)
        if (labels[i] < 0 || labels[i] >= k) return 1;
    int64_t hits = 0;
#pragma omp parallel num_threads(n * k < 1 << 14 ? 1 : threads) reduction(+ : hits)
    for (auto [i, end] = mine(n); i < end; i++) {
        const float* x = logits + i * k;
        float *g = gradient + i * k, largest = x[0], sum = 0, total = 0;
        for (int64_t j = 1; j < k; j++) largest = std::max(largest, x[j]);
#pragma omp simd reduction(+ : sum, total)
        for (int64_t j = 0; j < k; j++) {
            g[j] = std::exp(x[j] - largest);
            sum += g[j];
            total += x[j] - largest;
        }
        const float spread = smoothing / k;
        losses[i] = std::log(sum) - (1 - smoothing) * (x[labels[i]] - largest);
        if (smoothing) losses[i] -= spread * total;  // which may be infinite
        for (int64_t j = 0; j < k; j++) g[j] = (g[j] / sum - spread) * scale;
        g[labels[i]] -= (1 - smoothing) * scale;
        hits += first_largest(x, k, labels[i]);
    }
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += losses[i];  // here, for the threads' sums would come in any order
    *mean = float(sum / n);
    if (all) all[0] += sum, all[1] += n;
    if (right) right[0] += hits, right[1] += n;
    return 0;
}

}  // extern "C"
