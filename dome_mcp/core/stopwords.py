"""Words that carry no topic. A query drops them while it has other words.

A word that means something in another language, or as a name, is not listed: "may" is a month,
German "die" and "war", French "son" and Dutch "van" are things that somebody writing English may
be looking for. They are searched like any other word and left to their low weight.
"""

_ENGLISH = """
a about above across after again against all almost along already also although always am among
an and another any anybody anyone anything are aren around as at be became because been before
being below between both but by can cannot could couldn did didn do does doesn doing don done
down during each either else enough etc even ever every for from further get gets getting give
given go goes going got had hadn has hasn have haven having he her here hers herself him himself
his how however i if in into is isn it its itself just let ll me might mightn more most much
must mustn my myself neither no nor not of off often on once only onto or other others ought our
ours ourselves out over own per please quite rather re same shall shan she should shouldn since
so some somebody someone something such than that the their theirs them themselves then there
therefore these they this those though through thus to too toward towards under until up upon us
ve very via was wasn we were weren what whatever when where whether which while who whoever whom
whose why will with within without won would wouldn yet you your yours yourself yourselves
"""

_GERMAN = """
aber als am auch auf aus bei beim bis bist da damit dann das dass dein deine dem denn der
des dich dir doch dort durch ein eine einem einen einer eines er es euch euer für gegen haben
hatte hatten ich ihm ihn ihr ihre im ist kann kein keine mein meine mich mir mit nach nicht noch
nur ob oder ohne sehr sein seine seit sich sie sind über um und uns unser unter vom von vor wann
warum weil welche welcher welches wenn wer werden wie wieder wir wird wo wurde wurden zu zum zur
"""

_FRENCH = """
au aux avec ce ces cette comment dans de des du elle elles en est et eux il ils je la le les leur
leurs lui ma mais mes moi nos notre nous ont ou où pas pourquoi qu quand que quel quelle
quelles quels qui sa ses sont sur ta te tes toi tu un une vos votre vous
"""

_IBERIAN = """
al aos às com como cuál cuándo cómo da das del dónde dos el ella ellas ellos em entre es esta
está este esto eu fue já las lo los más mi mis muy na não nas nem no nos nossa nosso não o
onde para pela pelo pero por porque porqué qual quando que qué quem quién se sobre su sus
também tem tu tus um uma una unas uno unos y yo ya é à
"""

_ITALIAN = """
agli alla alle allo anche che ci cosa dai dal dalla degli dei del della delle dello di
e gli il io lei loro ma mio nei nel nella non perché più quale questa questo si sono
sono sul sulla suo sua tra una uno
"""

_DUTCH = """
aan bij dat deze dit een en er het hij hoe ik je maar met mijn naar niet nog ook op te tot uit
voor waar waarom wanneer wat wie wij zijn zij
"""

STOP_WORDS = frozenset(" ".join((_ENGLISH, _GERMAN, _FRENCH, _IBERIAN, _ITALIAN, _DUTCH)).split())
"""Lower case, accents as written."""
