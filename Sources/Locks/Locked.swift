// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A value behind a lock of the operating system.
///
/// Stands for `Synchronization.Mutex`, whose hand-over from thread to thread ThreadSanitizer doesn't see (Swift 6.3 on
/// Linux): it would report a race at every use. Uncontended, both cost some twenty nanoseconds.
package struct Locked<Value: ~Copyable>: ~Copyable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let value: UnsafeMutablePointer<Value>

    package init(_ value: consuming sending Value) {
        self.mutex = .allocate(capacity: 1)
        self.mutex.initialize(to: pthread_mutex_t())
        let code = pthread_mutex_init(self.mutex, nil)
        guard code == 0 else { fatalError("pthread_mutex_init failed with \(code)") }
        self.value = .allocate(capacity: 1)
        self.value.initialize(to: value)
    }

    deinit {
        pthread_mutex_destroy(self.mutex)
        self.mutex.deallocate()
        self.value.deinitialize(count: 1)
        self.value.deallocate()
    }

    /// Runs `body` while no other thread runs one on this value. Not to be called from within `body`.
    package borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        let code = pthread_mutex_lock(self.mutex)
        guard code == 0 else { fatalError("pthread_mutex_lock failed with \(code)") }
        defer { pthread_mutex_unlock(self.mutex) }
        return try body(&self.value.pointee)
    }
}

// The lock hands the value from one thread to another, one at a time.
extension Locked: @unchecked Sendable where Value: ~Copyable {}
