"""What scripts try in order to get out: each prints OUT where it got through, or raises.

Fields: {file} a file that is none of the script's business, {folder} the folder it lies in,
{tcp}, {udp} ports of 127.0.0.1 with ears, {unix} a Unix socket with one.
"""

from __future__ import annotations

CTYPES = """import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(*numbers):
    result = libc.syscall(*(ctypes.c_long(n) if isinstance(n, int) else n for n in numbers))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
"""
CODE = """import ctypes, mmap, os
def machine_code(data):
    page = mmap.mmap(-1, 4096, prot=7)
    page.write(data)
    place = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return ctypes.CFUNCTYPE(ctypes.c_int)(place)()
"""
HTTP = "http://127.0.0.1:{tcp}/a"

# Roads through Python itself. Each leads to the module `os`, as `there`.
ROADS = {
    "subclasses": "kinds = ().__class__.__base__.__subclasses__()\n"
    "there = [k for k in kinds if k.__name__ == '_wrap_close'][0].__init__.__globals__['sys']"
    ".modules['os']",
    "generator frame": "def g(): yield\nit = g()\n"
    "there = it.gi_frame.f_builtins['__import__']('os')",
    "coroutine frame": "async def c(): pass\nit = c()\n"
    "there = it.cr_frame.f_globals['__builtins__']\n"
    "there = (there if isinstance(there, dict) else vars(there))['__import__']('os')\nit.close()",
    "traceback frame": "try: 1 / 0\nexcept Exception as e:\n"
    "    there = e.__traceback__.tb_frame.f_builtins['__import__']('os')",
    "exception group": "try: raise BaseExceptionGroup('', [ValueError()])\n"
    "except* ValueError as e:\n    there = e.__traceback__.tb_frame.f_builtins['__import__']('os')",
    "decorator": "@__import__\n@lambda f: 'os'\ndef there(): pass",
    "attribute hook": "class A:\n    def __getattribute__(self, n): return __import__(n)\n"
    "there = A().os",
    "match pattern": "class M(type):\n    def __instancecheck__(c, o): return True\n"
    "class A(metaclass=M): __match_args__ = ('modules',)\nimport sys\n"
    "match sys:\n    case A(found): there = found['os']",
    "format": "import random\nassert \"'os'\" in '{0._os}'.format(random)\nthere = random._os",
    "numpy": "import numpy as np\nthere = np.testing._private.utils.os",
    "f2py": "import numpy.f2py as f\nthere = f.os",
    "matplotlib": "import matplotlib\nthere = matplotlib.sys.modules['os']",
    "importlib": "import importlib\nthere = importlib.import_module('os')",
    "builtins": "import builtins\nthere = builtins.__import__('os')",
    "eval": "there = eval(compile('__import__(\"os\")', '', 'eval'))",
    "exec": "exec('import os as there')",
}
ROAD_END = "\nprint('OUT', there.read(there.open({file!r}, 0), 99))\n"

FILES = {
    "read": "print('OUT', open({file!r}).read())",
    "read passwords": "print('OUT', open('/etc/passwd').read(1))",
    "list the root": "import os; print('OUT', os.listdir('/'))",
    "list a folder": "import os; print('OUT', os.listdir({folder!r}))",
    "write": "open({file!r}, 'a').write('x'); print('OUT')",
    "create": "open({folder!r} + '/new', 'w'); print('OUT')",
    "empty": "import os; os.truncate({file!r}, 0); print('OUT')",
    "empty by opening": "import os; os.open({file!r}, os.O_RDONLY | os.O_TRUNC); print('OUT')",
    "empty a library": "import os\nos.open(os.__file__, os.O_RDONLY | os.O_TRUNC)",
    "write a library": "import os\nopen(os.__file__, 'a')",
    "remove": "import os; os.remove({file!r}); print('OUT')",
    "rename": "import os; os.rename({file!r}, {folder!r} + '/other'); print('OUT')",
    "move in": "import os; os.rename({file!r}, 'mine'); print('OUT')",
    "make a folder": "import os; os.mkdir({folder!r} + '/new'); print('OUT')",
    "chmod": "import os; os.chmod({file!r}, 0o777); print('OUT')",
    "chmod by number": CTYPES + "call({chmod}, -100, {file!r}.encode(), 0o777, 0); print('OUT')",
    "chown": "import os; os.chown({file!r}, os.getuid(), os.getgid()); print('OUT')",
    "utime": "import os; os.utime({file!r}, (1, 1)); print('OUT')",
    "attribute": "import os; os.setxattr({file!r}, 'user.a', b'b'); print('OUT')",
    "attribute, new call": CTYPES + "call(463, -100, {file!r}.encode(), 0, b'user.a', 0, 0)",
    "attributes, new call": CTYPES + "call(469, -100, {file!r}.encode(), bytes(24), 24, 0)",
    "hard link": "import os; os.link({file!r}, 'mine'); print('OUT', open('mine').read())",
    "symbolic link": "import os; os.symlink({file!r}, 'mine'); print('OUT', open('mine').read())",
    "pipe": "import os; os.mkfifo('pipe'); print('OUT')",
    "device": "import os; os.mknod('mem', 0o20600, os.makedev(1, 1)); os.open('mem', 0)",
    "a folder above": "import os; os.chdir('../../..'); print('OUT', os.listdir('.'))",
    "mount": CTYPES + "call({mount}, b'none', b'.', b'tmpfs', 0, 0)",
}

LIBRARIES = {
    "numpy load": "import numpy as np; np.load({file!r}, allow_pickle=True)",
    "numpy file": "import numpy as np; print('OUT', np.fromfile({file!r}, 'u1'))",
    "numpy text": "import numpy as np; print('OUT', np.genfromtxt({file!r}, str))",
    "pickle": "import pickle, os\nclass A:\n"
    "    def __reduce__(self): return os.open, ({file!r}, 0)\n"
    "pickle.loads(pickle.dumps(A())); print('OUT')",
    "picture of a file": "import matplotlib.pyplot as plt; plt.imread('/etc/passwd')",
    "style file": "import matplotlib as m; m.rc_file({file!r}); print('OUT')",
    "font file": "from matplotlib.font_manager import FontProperties\n"
    "import matplotlib.pyplot as plt\n"
    "plt.title('A', fontproperties=FontProperties(fname={file!r})); plt.gcf().canvas.draw()",
    "tex": "import matplotlib.pyplot as plt\nplt.rcParams['text.usetex'] = True\n"
    "plt.title('A'); plt.gcf().canvas.draw()",
    "pgf": "import matplotlib.pyplot as plt\nfrom matplotlib.backends.backend_pgf import *\n"
    "LatexManager()",
    "ffmpeg": "from matplotlib.animation import FFMpegWriter\nimport matplotlib.pyplot as plt\n"
    "plt.rcParams['animation.ffmpeg_path'] = '/bin/true'\n"
    "FFMpegWriter().setup(plt.figure(), 'a.mp4')",
    "browser": "import webbrowser, sys\n"
    "if not webbrowser.GenericBrowser(sys.executable).open('-V'): raise PermissionError",
}

NETWORK = {
    "tcp": "import socket\ns = socket.create_connection(('127.0.0.1', {tcp})); print('OUT')",
    "udp": "import socket\nsocket.socket(type=socket.SOCK_DGRAM)"
    ".sendto(b'x', ('127.0.0.1', {udp})); print('OUT')",
    "listening": "import socket; socket.create_server(('127.0.0.1', 0)); print('OUT')",
    "unix": "import socket\ns = socket.socket(socket.AF_UNIX); s.connect({unix!r}); print('OUT')",
    "screen and clipboard": "import socket\n"
    "socket.socket(socket.AF_UNIX).connect('\\0/tmp/.X11-unix/X0')",
    "message bus": "import socket\n"
    "socket.socket(socket.AF_UNIX).connect('/run/dbus/system_bus_socket')",
    "pair": "import socket; socket.socketpair(); print('OUT')",
    "netlink": "import socket; socket.socket(socket.AF_NETLINK, 3, 0); print('OUT')",
    "by number": CTYPES + "call({socket}, 2, 1, 0); print('OUT')",
    "url": f"import urllib.request; urllib.request.urlopen('{HTTP}', timeout=2)",
    "style from the net": f"import matplotlib.pyplot as plt; plt.style.use('{HTTP}')",
    "picture from the net": "import urllib.request, matplotlib.pyplot as plt\n"
    f"plt.imread(urllib.request.urlopen('{HTTP}', timeout=2))",
    "cloud metadata": "import socket; socket.create_connection(('169.254.169.254', 80), 0.2)",
    "name": "import socket; socket.getaddrinfo('localhost', 80); print('OUT')",
    "io_uring": CTYPES + "call(425, 8, bytes(120)); print('OUT')",
}

PROCESSES = {
    "fork": "import os\nif os.fork() == 0: os._exit(0)\nprint('OUT')",
    "system": "import os\nif os.system('true'): raise PermissionError\nprint('OUT')",
    "libc system": CTYPES + "if libc.system(b'true'): raise PermissionError\nprint('OUT')",
    "subprocess": "import subprocess, sys; subprocess.run([sys.executable, '-V']); print('OUT')",
    "spawn": "import os; os.posix_spawn('/bin/true', ['true'], dict()); print('OUT')",
    "exec": "import os; os.execv('/bin/true', ['true'])",
    "program of its own": "import os, shutil\nshutil.copyfile('/bin/true', 'own')\n"
    "os.execv('own', ['own'])",
    "multiprocessing": "import multiprocessing as m\np = m.Process(target=print)\np.start()\n"
    "print('OUT')",
    "clone3": CTYPES + "call(435, bytes(88), 88)",
    "thread": "import threading; threading.Thread(target=print).start(); print('OUT')",
    "kill the parent": "import os; os.kill(os.getppid(), 0); print('OUT')",
    "kill a group": "import os; os.kill(0, 0); print('OUT')",
    "kill everybody": "import os; os.kill(-1, 0)",
    "signal by queue": CTYPES + "call({sigqueue}, os.getppid(), 0, bytes(128))",
    "open the parent": "import os; os.pidfd_open(os.getppid()); print('OUT')",
    "trace the parent": CTYPES + "call({ptrace}, 16, os.getppid(), 0, 0)",
    "memory of the parent": CTYPES
    + "call({vm_readv}, os.getppid(), bytes(16), 1, bytes(16), 1, 0)",
    "environment of the parent": "import os\n"
    "print('OUT', open(f'/proc/{{os.getppid()}}/environ', 'rb').read())",
    "own memory": "open('/proc/self/mem', 'rb'); print('OUT')",
    "own environment": "print('OUT', open('/proc/self/environ').read())",
    "limits of the parent": "import os, resource as r\n"
    "r.prlimit(os.getppid(), r.RLIMIT_CORE); print('OUT')",
    "own limits": "import resource as r\n"
    "r.setrlimit(r.RLIMIT_NOFILE, r.getrlimit(r.RLIMIT_NOFILE)); print('OUT')",
    "priority of the parent": "import os\n"
    "os.setpriority(0, os.getppid(), os.getpriority(0, os.getppid())); print('OUT')",
    "own group": "import os; os.setpgid(0, 0); print('OUT')",
    "life without the parent": CTYPES + "if libc.prctl(1, 0): raise PermissionError\nprint('OUT')",
    "shared memory": CTYPES + "call({shmget}, 0, 4096, 0o1600); print('OUT')",
    "shared memory by name": "from multiprocessing import shared_memory as s\n"
    "s.SharedMemory(create=True, size=9).unlink(); print('OUT')",
    "file without a name": "import os; os.memfd_create('a'); print('OUT')",
    "watching folders": CTYPES + "call({inotify}, 0); print('OUT')",
    "keys": CTYPES + "call({add_key}, b'user', b'a', b'b', 1, -3)",
    "namespaces": CTYPES + "call({unshare}, 0x10000000)",
    "terminal": "import fcntl; fcntl.ioctl(0, 0x5412, b'x')",
}
