// The names that a pickle may load: those of tensors' files, and none that could run anything.
#pragma once

#include <array>
#include <string_view>

namespace bankai::packer {

inline constexpr std::string_view kRebuildV2 = "torch._utils _rebuild_tensor_v2";
inline constexpr std::string_view kRebuildV3 = "torch._utils _rebuild_tensor_v3";
inline constexpr std::string_view kOrderedDict = "collections OrderedDict";
inline constexpr std::string_view kEncode = "_codecs encode";

// Names of storages and dtypes are looked at where a tensor is read (torch_archive.cpp).
inline constexpr std::array<std::string_view, 33> kGlobals = {kRebuildV2,
                                                              kRebuildV3,
                                                              kOrderedDict,
                                                              kEncode,
                                                              "__builtin__ bytes",
                                                              "builtins bytes",
                                                              "torch Size",
                                                              "torch DoubleStorage",
                                                              "torch FloatStorage",
                                                              "torch HalfStorage",
                                                              "torch BFloat16Storage",
                                                              "torch LongStorage",
                                                              "torch IntStorage",
                                                              "torch ShortStorage",
                                                              "torch CharStorage",
                                                              "torch ByteStorage",
                                                              "torch BoolStorage",
                                                              "torch UntypedStorage",
                                                              "torch.storage UntypedStorage",
                                                              "torch float8_e4m3fn",
                                                              "torch float16",
                                                              "torch bfloat16",
                                                              "torch float32",
                                                              "torch float64",
                                                              "torch uint8",
                                                              "torch int8",
                                                              "torch int16",
                                                              "torch int32",
                                                              "torch int64",
                                                              "torch bool",
                                                              "torch uint16",
                                                              "torch uint32",
                                                              "torch uint64"};

}  // namespace bankai::packer
