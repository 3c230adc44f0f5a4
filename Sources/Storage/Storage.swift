import Content
import Posix
