// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A process that goes on when this one has ended: a session of its own, no input, its words in a file.
package struct ChildProcess: Sendable {
    let pid: Int32

    /// How a process ended.
    package enum Ending: Hashable, Sendable, CustomStringConvertible {
        case exited(code: Int32)
        case killed(signal: Int32)

        /// - Parameter status: as `waitpid` gives it: the signal in the lowest 7 bits, the code in the next byte.
        package init(status: Int32) {
            let signal = status & 0x7f
            self = signal == 0 ? .exited(code: (status >> 8) & 0xff) : .killed(signal: signal)
        }

        package var description: String {
            switch self {
            case .exited(let code): "exit code \(code)"
            case .killed(let signal): "signal \(signal)"
            }
        }
    }

    /// - Parameters:
    ///   - executable: absolute path.
    ///   - arguments: without the program's own name.
    ///   - log: standard output and standard error are appended to it; only its owner may read it.
    init(
        executable: String, arguments: [String], environment: [String: String], log: String
    ) throws(CommandFailure) {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        Self.keepDescriptors()
        var all = sigset_t()
        var none = sigset_t()
        sigfillset(&all)
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        let flags = Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK) | Self.newSession
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var argv: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (argv + variables).forEach { free($0) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, executable, &actions, &attributes, &argv, &variables)
        guard code == 0 else {
            throw CommandFailure(
                .failure, "\(executable) can't be started with its log \(log): \(String(cString: strerror(code)))")
        }
        self.pid = pid
    }

    /// Sees to it that no lock, pipe or socket of this process goes along, those that it was given itself included.
    private static func keepDescriptors() {
        guard let folder = opendir("/proc/self/fd") else { return }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let descriptor = Int32(name), descriptor > STDERR_FILENO { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        }
    }

    /// POSIX_SPAWN_SETSID of glibc 2.26 and later.
    private static let newSession: Int32 = 0x80

    /// How the process ended, if it has. Asked again after that, it says nothing.
    func ending() -> Ending? {
        var status: Int32 = 0
        return waitpid(self.pid, &status, WNOHANG) == self.pid ? Ending(status: status) : nil
    }
}
