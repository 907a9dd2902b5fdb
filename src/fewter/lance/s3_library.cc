#include "fewter/lance/s3_library_internal.h"

#include <dlfcn.h>

#include <utility>

namespace fewter::lance {

namespace {

using arrow::fs::FileSystemFactoryOptions;
using arrow::fs::S3FileSystem;
using arrow::fs::S3Options;

// As the compiler calls them, with the types that s3fs.h declares.
constexpr const char* kEnsureInitialized = "_ZN5arrow2fs19EnsureS3InitializedEv";
constexpr const char* kOptionsOf =
    "_ZN5arrow2fs9S3Options17FromUriAndOptionsERKNSt7__cxx1112basic_stringIcSt11char_"
    "traitsIcESaIcEEERKSt6vectorISt4pair"
    "IS7_St3anyESaISD_EEPS7_";
constexpr const char* kMake = "_ZN5arrow2fs12S3FileSystem4MakeERKNS0_9S3OptionsERKNS_2io9IOContextE";

template <typename Function>
Function* Find(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::fs::FileSystem>> MakeS3WithTimeouts(const std::string& uri,
                                                                         const FileSystemFactoryOptions& options,
                                                                         const S3Timeouts& timeouts,
                                                                         const std::string& library,
                                                                         std::string* root) {
  // Never closed: what it holds is used to the end of the process.
  void* const loaded = dlopen(library.c_str(), RTLD_NOW | RTLD_NOLOAD);
  if (loaded == nullptr) return nullptr;
  const auto ensure_initialized = Find<arrow::Status()>(loaded, kEnsureInitialized);
  const auto options_of =
      Find<arrow::Result<S3Options>(const std::string&, const FileSystemFactoryOptions&, std::string*)>(loaded,
                                                                                                        kOptionsOf);
  const auto make =
      Find<arrow::Result<std::shared_ptr<S3FileSystem>>(const S3Options&, const arrow::io::IOContext&)>(loaded, kMake);
  if (ensure_initialized == nullptr || options_of == nullptr || make == nullptr) return nullptr;
  ARROW_RETURN_NOT_OK(ensure_initialized());
  ARROW_ASSIGN_OR_RAISE(S3Options s3, options_of(uri, options, root));
  s3.connect_timeout = timeouts.connect;
  s3.request_timeout = timeouts.stall;
  ARROW_ASSIGN_OR_RAISE(auto made, make(s3, arrow::io::default_io_context()));
  return made;
}

}  // namespace fewter::lance
